import { count, duration, type Rule } from '../finding.js';
import { html, rfc } from '../sources.js';
import type { Recorded, Recording } from './read-har.js';

/** So few requests are no polling. */
const MIN_POLLS = 5;
/** A request that waited longer than this for a connection is noticed, in milliseconds. */
const WAITED_MS = 1_000;
/** How long a long poll is usually held, in milliseconds: what a quiet one would be asked again after. */
const LONG_POLL_MS = 30_000;
/** Connections of a browser to one host over HTTP/1.1. */
const SIX = 6;

const median = (numbers: number[]) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);
export const isStream = ({ wantsStream, type }: Recorded) => wantsStream || type === 'text/event-stream';
/** Whether a request was over HTTP/1.x, or may have been. */
const mayBeHttp1 = ({ http1 }: Recorded) => http1 !== false;

function grouped(requests: readonly Recorded[], by = ({ key }: Recorded) => key): Recorded[][] {
  const groups = new Map<string, Recorded[]>();
  for (const request of requests) {
    const group = groups.get(by(request));
    if (group) group.push(request);
    else groups.set(by(request), [request]);
  }
  return [...groups.values()];
}

/** One thing that was asked again and again. */
export interface Polling {
  readonly first: Recorded;
  readonly requests: readonly Recorded[];
  /** From the begin of one to the begin of the next, in milliseconds (the median). */
  readonly everyMs: number;
  /** How many answers said the same as the one before: 304, or an equal body. */
  readonly same: number;
  /** How many answers can be compared with the one before. */
  readonly compared: number;
  /** They were held: long polls. */
  readonly held: boolean;
  readonly bytes: number;
}

/** Types that pages load again and again without polling. */
export const PAGE_PARTS = /^(image|font|video|audio)\/|^text\/(html|css|javascript)$|javascript/;

/** What was polled: GET requests for the same thing, five or more of them. The most frequent comes first. */
export function pollings({ requests }: Recording): Polling[] {
  return grouped(requests.filter((each) => each.method === 'GET' && !isStream(each) && !PAGE_PARTS.test(each.type)))
    .filter((group) => group.length >= MIN_POLLS)
    .map((group) => {
      let [same, compared] = [0, 0];
      let before: Recorded | undefined;
      for (const each of group) {
        if (each.status === 304) {
          same += 1;
          compared += 1;
        } else if (before && each.body !== undefined && before.body !== undefined) {
          compared += 1;
          if (each.body === before.body && each.status === before.status) same += 1;
        }
        if (each.status !== 304) before = each;
      }
      const took = median(group.map(({ startedAt, endedAt }) => endedAt - startedAt));
      const everyMs = median(group.slice(1).map(({ startedAt }, i) => startedAt - group[i]!.startedAt));
      const bytes = sum(group.map((each) => each.bytes ?? 0));
      return {
        first: group[0]!,
        requests: group,
        everyMs,
        same,
        compared,
        held: took >= 2_000 && took >= 0.6 * everyMs,
        bytes,
      };
    })
    .sort((a, b) => b.requests.length - a.requests.length);
}

/** How many long polls would have brought the same news: one for each change, and one for each quiet half minute. */
export function asLongPolls({ requests, same, everyMs }: Polling): number {
  const news = requests.length - same;
  return Math.min(requests.length, news + Math.floor((requests.length * everyMs) / LONG_POLL_MS));
}

/** The streams of a recording, by what they ask for. */
const streamGroups = ({ requests }: Recording) => grouped(requests.filter(isStream));

/** Requests that waited for a connection, and how many others to the same origin were open while they did. */
export function waited({ requests }: Recording): { request: Recorded; open: number }[] {
  return requests
    .filter((each) => (each.blockedMs ?? 0) >= WAITED_MS && mayBeHttp1(each))
    .map((request) => {
      const sent = request.startedAt + (request.blockedMs ?? 0);
      const open = requests.filter(
        (other) =>
          other !== request &&
          other.origin === request.origin &&
          other.startedAt <= request.startedAt &&
          other.endedAt >= sent - 250 &&
          other.startedAt + (other.blockedMs ?? 0) <= request.startedAt,
      ).length;
      return { request, open };
    });
}

/** What can be wrong with what a recording shows. */
export const recordingRules: readonly Rule<Recording>[] = [
  {
    id: 'recording-waited',
    severity: 'serious',
    why: 'Over HTTP/1.1 a browser opens six connections to a host. While streams or long polls take them, everything else waits.',
    fix: 'Serve HTTP/2, or share one stream among tabs and parts of the page.',
    source: rfc(9112, '9.4'),
    notebook: '07',
    look(recording) {
      const all = waited(recording);
      if (all.length === 0) return undefined;
      const longest = all.reduce((a, b) => ((b.request.blockedMs ?? 0) > (a.request.blockedMs ?? 0) ? b : a));
      const { request } = longest;
      const saw = `${count(all.length, 'request')} waited more than a second before being sent, the longest ${duration(request.blockedMs ?? 0)} (${request.method} ${request.shown})`;
      const busy = all.filter(({ open }) => open >= SIX).length;
      if (busy > 0)
        return {
          saw: `${saw}. During ${busy === 1 ? 'one' : busy} of these waits all six connections to the host were taken.`,
        };
      // Streams that have not ended are missing in some browsers' recordings.
      return {
        severity: 'warning',
        saw: `${saw}. The recording does not show six open requests; browsers leave out streams that have not ended.`,
      };
    },
  },
  {
    id: 'recording-stream-refused',
    severity: 'serious',
    why: 'EventSource gives up for good when the answer is not 200 with the type text/event-stream.',
    fix: 'Look at this answer: is it an error, a login page, or has it a wrong "Content-Type"?',
    source: html('9.2.3', 'processing-model'),
    notebook: '05',
    look({ requests }) {
      const bad = requests.filter(
        (each) =>
          each.wantsStream &&
          each.status > 0 &&
          ![204, 301, 302, 303, 307, 308].includes(each.status) &&
          (each.status !== 200 || each.type !== 'text/event-stream'),
      );
      const first = bad[0];
      return (
        first && {
          saw: `${count(bad.length, 'stream')} refused: ${first.shown} answered ${first.status}, ${first.type || 'no type'}.`,
        }
      );
    },
  },
  {
    id: 'recording-repeated-events',
    severity: 'serious',
    why: 'The page handles these events twice.',
    fix: 'Send only events after the one that "Last-Event-ID" names.',
    source: html('9.2.4', 'the-last-event-id-header'),
    notebook: '06',
    look(recording) {
      const all: { shown: string; again: string[]; lastEventId: string | undefined }[] = [];
      for (const group of streamGroups(recording)) {
        /** Ids that came, and how many others came before each. */
        const seen = new Map<string, number>();
        for (const { eventIds = [], lastEventId, shown, startedAt } of group) {
          // What came after this id may have come to another reader only: it is rightly sent again to this one.
          const known = lastEventId === undefined ? undefined : seen.get(lastEventId);
          const again = eventIds.flatMap((id) => {
            const place = id === undefined ? undefined : seen.get(id);
            return id !== undefined && place !== undefined && place <= (known ?? place) ? [id] : [];
          });
          // Two streams at the same time rightly bring the same events: two tabs, say.
          const alone = group.every((other) => other.startedAt >= startedAt || other.endedAt <= startedAt + 100);
          if (again.length > 0 && alone) all.push({ shown, again, lastEventId });
          for (const id of eventIds) if (id !== undefined && !seen.has(id)) seen.set(id, seen.size);
        }
      }
      const resumed = all.filter(({ lastEventId }) => lastEventId !== undefined);
      const told = resumed.length > 0 ? resumed : all;
      if (!told[0]) return undefined;
      const repeated = sum(told.map(({ again }) => again.length));
      const saw = `${count(repeated, 'event')} came again on a later stream of ${told[0].shown}`;
      if (resumed.length === 0) {
        return {
          severity: 'note',
          saw: `${saw}, which sent no "Last-Event-ID": a new EventSource, or the page loaded again.`,
        };
      }
      // A server that resumes from the last event, inclusive, repeats that one alone.
      const inclusive = resumed.every(({ again, lastEventId }) => again.length === 1 && again[0] === lastEventId);
      return {
        ...(inclusive ? { severity: 'warning' } : {}),
        saw: `${saw}, although it sent "Last-Event-ID".`,
      };
    },
  },
  {
    id: 'recording-stream-time-out',
    severity: 'warning',
    why: 'Streams that all live equally long are cut by a time-out on the way, and what happens until the reader is back may be lost.',
    fix: 'Send a heartbeat every 15 s; if that does not help, raise the limit on the length of a response.',
    source: {
      name: 'nginx, proxy_read_timeout',
      url: 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout',
    },
    notebook: '06',
    look(recording) {
      for (const group of streamGroups(recording)) {
        const lengths = group
          .filter(({ status }) => status === 200)
          .map(({ startedAt, endedAt, blockedMs = 0 }) => endedAt - startedAt - blockedMs);
        const middle = median(lengths);
        const alike = lengths.filter((length) => Math.abs(length - middle) <= Math.max(500, 0.03 * middle));
        if (middle >= 5_000 && alike.length >= 3 && alike.length >= lengths.length - 1) {
          return {
            saw: `${count(lengths.length, 'stream')} of ${group[0]!.shown}, each about ${duration(middle)} long.`,
          };
        }
      }
      return undefined;
    },
  },
  {
    id: 'recording-polling',
    severity: 'warning',
    why: 'Polls that say nothing new cost the server and the phone as much as those that do, and the news waits for the next one.',
    fix: 'Hold the answer until there is news (long polling), or send events. If it has to be polls: ask less often, and with "If-None-Match".',
    source: rfc(9110, '13.1.2'),
    notebook: '03',
    look(recording) {
      const short = pollings(recording).filter(({ held }) => !held);
      if (short.length === 0) return undefined;
      const lines = short.slice(0, 5).map((polling) => {
        const { first, requests, everyMs, same, compared, bytes } = polling;
        const news = compared > 0 ? `${same} of them said nothing new` : 'the recording has no bodies to compare';
        const cost = compared > 0 ? `; long polling would have taken about ${asLongPolls(polling)}, a stream one` : '';
        return `${first.shown}: ${requests.length} times, every ${duration(everyMs)}${bytes > 0 ? `, ${count(bytes, 'byte')}` : ''}; ${news}${cost}`;
      });
      const more = short.length > 5 ? ` And ${short.length - 5} more.` : '';
      const idle = short.some(({ same, compared }) => compared >= MIN_POLLS - 1 && same >= 0.5 * compared);
      return { severity: idle ? 'warning' : 'note', saw: `${lines.join('. ')}.${more}` };
    },
  },
  {
    id: 'recording-overlapping-polls',
    severity: 'warning',
    why: 'A timer that sends a poll while the last one is unanswered makes a slow server slower, and answers can arrive in the wrong order.',
    fix: 'Start the next pause when the answer has come.',
    source: rfc(9110, '9.2.2'),
    notebook: '03',
    look(recording) {
      const all = pollings(recording).flatMap(({ requests }) =>
        requests.slice(1).filter(({ startedAt }, i) => startedAt < requests[i]!.endedAt - 50),
      );
      return all.length >= 3
        ? { saw: `${count(all.length, 'poll')} began before the one before was answered (${all[0]!.shown}).` }
        : undefined;
    },
  },
  {
    id: 'recording-ignored-retry-after',
    severity: 'warning',
    why: 'A server that sends "Retry-After" is overloaded. Clients that come back sooner keep it overloaded.',
    fix: 'Wait for as long as "Retry-After" says, and some random time more.',
    source: rfc(9110, '10.2.3'),
    notebook: '03',
    look({ requests }) {
      const ignored = grouped(requests).flatMap((group) =>
        group.filter(({ status, retryAfter, endedAt }, i) => {
          const next = group[i + 1];
          return (
            (status === 429 || status === 503) &&
            retryAfter !== undefined &&
            next &&
            next.startedAt - endedAt < 900 * retryAfter
          );
        }),
      );
      const first = ignored[0];
      return (
        first && {
          saw: `${count(ignored.length, 'time')}, a client came back before "Retry-After" had passed (${first.shown}, ${first.retryAfter} s).`,
        }
      );
    },
  },
  {
    id: 'recording-streams',
    severity: 'note',
    why: 'Each open stream takes a connection of the browser over HTTP/1.1.',
    fix: 'One stream for a page, shared by its parts, is enough.',
    source: html('9.2.7', 'authoring-notes'),
    notebook: '07',
    look(recording) {
      const groups = grouped(recording.requests.filter(isStream), ({ shown }) => shown);
      if (groups.length === 0) return undefined;
      const lines = groups.slice(0, 5).map((group) => {
        const lengths = group.map(({ startedAt, endedAt }) => endedAt - startedAt);
        const events = sum(group.map(({ eventIds = [] }) => eventIds.length));
        return `${group[0]!.shown}: ${count(group.length, 'stream')}, the longest ${duration(Math.max(...lengths))}${events > 0 ? `, ${count(events, 'event')}` : ''}`;
      });
      return { saw: `${lines.join('. ')}.` };
    },
  },
  {
    id: 'recording-long-polls',
    severity: 'note',
    why: 'A long poll takes a connection while it is held, as a stream does, and a request for each piece of news.',
    fix: 'Nothing, if news is rare. If it is frequent, a stream takes fewer requests.',
    source: rfc(6202, '2.1'),
    notebook: '04',
    look(recording) {
      const held = pollings(recording).filter((each) => each.held);
      if (held.length === 0) return undefined;
      return {
        saw: `${held
          .slice(0, 5)
          .map(({ first, requests, everyMs }) => `${first.shown}: ${requests.length} times, held ${duration(everyMs)}`)
          .join('. ')}.`,
      };
    },
  },
];
