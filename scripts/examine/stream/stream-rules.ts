import { count, duration, type Rule, type Sight } from '../finding.js';
import { html, rfc } from '../sources.js';
import type { Burst, StreamEvent } from './transcript.js';
import type { Heard, StreamSeen } from './watch-stream.js';

type StreamRule = Rule<StreamSeen>;

const nginx = (directive: string) => ({
  name: `nginx, ${directive}`,
  url: `https://nginx.org/en/docs/http/ngx_http_proxy_module.html#${directive}`,
});

/** An event that came so much later on one connection than on another was held back, in milliseconds. */
const HELD_MS = 1_000;
/** The shortest time-out of common proxies: nginx's `proxy_read_timeout` and HAProxy's usual `timeout server` are 60 s or less. */
const PROXY_TIMEOUT_MS = 55_000;
/** Silence that makes a rule look at heartbeats at all. */
const QUIET_MS = 15_000;

/** The type of a body, without parameters. */
export const mediaType = (headers: Readonly<Record<string, string>>) =>
  (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();

/** How much later than on `other` events came, where both got them: the median, in milliseconds. */
function lag(one: Heard, other: Heard): number | undefined {
  const key = ({ id, event, data }: StreamEvent) => JSON.stringify([id, event, data]);
  const theirs = new Map(other.transcript.events.map((event) => [key(event), other.exchange.began + event.at]));
  const lags = one.transcript.events
    .flatMap((event) => {
      const at = theirs.get(key(event));
      // What had come before this request was sent is history, and tells nothing of how new events travel.
      return at === undefined || at < one.exchange.began ? [] : [one.exchange.began + event.at - at];
    })
    .sort((a, b) => a - b);
  return lags.length >= 2 ? lags[Math.floor(lags.length / 2)] : undefined;
}

/** The time that an event tells of itself in its id or data, in milliseconds since the epoch. */
function ownTime({ id = '', data }: StreamEvent): number | undefined {
  const text = `${id} ${data}`;
  const iso = /\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)\b/.exec(text)?.[0];
  const time = iso ? Date.parse(iso) : Number(/(?<![\d.])1[5-9]\d{11}(?!\d)/.exec(text)?.[0]);
  return Number.isFinite(time) ? time : undefined;
}

/** How far apart the events of a burst were made, by their own times, in milliseconds. */
function spread({ events }: Burst): number {
  const times = events.flatMap((event) => ownTime(event) ?? []);
  return times.length < 2 ? 0 : Math.max(...times) - Math.min(...times);
}

function buffered({ exchange, transcript, beside }: StreamSeen): Sight | undefined {
  const { headers, headAt = 0 } = exchange;
  if (beside) {
    const late = lag({ exchange, transcript }, beside);
    if (late !== undefined && late >= HELD_MS) {
      return { saw: `Events came ${duration(late)} later than by the URL of --beside (the median).` };
    }
  }
  if (headers['content-length'] !== undefined && transcript.events.length > 0) {
    return {
      saw: `The stream has a Content-Length of ${headers['content-length']}: all of it was collected before it was sent.`,
    };
  }
  const { bursts } = transcript;
  // A whole burst of history at the start is no sign, unless the head waited as long as the events are apart.
  const old = bursts.filter((burst, i) => spread(burst) >= HELD_MS && (i > 0 || headAt >= 0.8 * spread(burst)));
  if (old.length > 0) {
    const most = Math.max(...old.map(spread));
    return {
      saw: `${count(old.length, 'burst')} brought events whose own times are up to ${duration(most)} apart: something held the earlier ones back.`,
    };
  }
  const cut = bursts.filter(
    (burst, i) =>
      burst.splits && burst.events.length >= 2 && (bursts[i + 1]?.at ?? burst.endsAt) - burst.endsAt >= HELD_MS,
  );
  if (cut.length > 0) {
    const sizes = cut.slice(0, 3).map(({ bytes }) => count(bytes, 'byte'));
    return {
      saw: `${count(cut.length, 'burst')} (${sizes.join(', ')}) ended in the middle of an event, whose rest came more than a second later: a buffer was full, not an event complete.`,
    };
  }
  const gaps = bursts.slice(1).map(({ at }, i) => at - bursts[i]!.endsAt);
  const many = bursts.slice(1).filter(({ events }) => events.length >= 3).length;
  if (many >= 3 && many === bursts.length - 1 && Math.min(...gaps) >= HELD_MS) {
    const events = transcript.events.length;
    return {
      severity: 'warning',
      saw: `${count(events, 'event')} came in ${bursts.length} bursts of three or more. Either they happen so, or something collects them.`,
    };
  }
  return undefined;
}

/** What can be wrong with an event stream. */
export const streamRules: readonly StreamRule[] = [
  {
    id: 'stream-type',
    severity: 'serious',
    why: 'EventSource fails for good when the type is another one: it fires "error", and does not reconnect.',
    fix: 'Answer with "Content-Type: text/event-stream".',
    source: html('9.2.3', 'processing-model'),
    notebook: '05',
    look({ exchange: { headers } }) {
      const type = mediaType(headers);
      if (type === 'text/event-stream') return undefined;
      return { saw: `The body is an event stream, and its type is ${type ? `"${type}"` : 'missing'}.` };
    },
  },
  {
    id: 'stream-encoding',
    severity: 'serious',
    why: 'An event stream is always read as UTF-8, whatever its "charset" says. Other text arrives damaged.',
    fix: 'Encode the stream as UTF-8, and name no other "charset".',
    source: html('9.2.6', 'event-stream-interpretation'),
    notebook: '05',
    look({ exchange: { headers }, transcript }) {
      const charset = /charset="?([^;"\s]+)/i.exec(headers['content-type'] ?? '')?.[1];
      if (transcript.broken) return { saw: 'The bytes of the stream are no UTF-8.' };
      if (charset === undefined || /^utf-?8$/i.test(charset)) return undefined;
      return { severity: 'warning', saw: `The type names the charset "${charset}".` };
    },
  },
  {
    id: 'stream-buffered',
    severity: 'serious',
    why: 'Readers get events late, and many at once: the stream has become slow polling.',
    fix: 'In nginx: "proxy_buffering off", or the answer\'s header "X-Accel-Buffering: no". Elsewhere, flush after each event, and switch off response buffering and compression for this path.',
    source: nginx('proxy_buffering'),
    notebook: '06',
    look: buffered,
  },
  {
    id: 'stream-head-late',
    severity: 'warning',
    why: 'EventSource fires "open" with the response head. Until then a page cannot tell a quiet stream from a dead server, and proxies count the wait against their time-outs.',
    fix: 'Send the head at once: flush the headers, or write a comment (":\\n\\n") first.',
    source: html('9.2.3', 'processing-model'),
    notebook: '06',
    look({ exchange: { headAt }, transcript }) {
      const first = transcript.bursts[0];
      if (headAt === undefined || headAt < 1_500 || !first || first.at - headAt > 50) return undefined;
      return { saw: `The response head came after ${duration(headAt)}, together with the first bytes of the body.` };
    },
  },
  {
    id: 'stream-compressed',
    severity: 'serious',
    why: 'A compressor collects text until its block is full, unless it is flushed after each event.',
    fix: 'Do not compress text/event-stream: leave it out of "gzip_types" and of compression middleware, or flush after each event and send "Cache-Control: no-transform".',
    source: rfc(9110, '8.4'),
    notebook: '06',
    look({ transcript, compressed, exchange, foreign }) {
      // A compressor that is not flushed holds back the response head, too. Other connections beside it were answered.
      const silent = compressed !== undefined && compressed.exchange.headAt === undefined && !compressed.exchange.error;
      if (silent && compressed.exchange.now > 3_000 && foreign?.headAt !== undefined && transcript.events.length >= 3) {
        const came = count(transcript.events.length, 'event');
        return {
          saw: `Asked with "Accept-Encoding", as browsers ask, it did not answer at all, while the plain stream brought ${came}.`,
        };
      }
      const coding = compressed?.exchange.headers['content-encoding'];
      if (compressed?.exchange.status !== 200 || coding === undefined || coding === 'identity') return undefined;
      const late = lag(compressed, { exchange, transcript });
      const plain = transcript.events.length;
      const both = Math.min(exchange.now, compressed.exchange.now);
      if (plain >= 3 && compressed.transcript.events.length === 0 && both > 3_000) {
        return { saw: `Compressed (${coding}), the stream brought no event while the plain one brought ${plain}.` };
      }
      if (late !== undefined && late >= HELD_MS) {
        return { saw: `Compressed (${coding}), events came ${duration(late)} later than plain (the median).` };
      }
      return { severity: 'note', saw: `The stream is compressed (${coding}) for browsers. Its events came in time.` };
    },
  },
  {
    id: 'stream-lost-on-resume',
    severity: 'serious',
    why: 'A connection breaks sooner or later. What happened until the reader is back is lost, and the reader cannot tell.',
    fix: 'Keep the last events, and send those after "Last-Event-ID" first.',
    source: html('9.2.4', 'the-last-event-id-header'),
    notebook: '06',
    look({ resumes }) {
      const bad = resumes.filter(({ lost }) => lost.length > 0);
      if (bad.length === 0) return undefined;
      const lost = bad.reduce((sum, each) => sum + each.lost.length, 0);
      return {
        saw: `Of ${count(resumes.length, 'cut')}, ${bad.length} lost events: ${lost} in all. An undisturbed reader got them.`,
      };
    },
  },
  {
    id: 'stream-repeated-on-resume',
    severity: 'serious',
    why: 'A reader that resumes handles these events twice.',
    fix: 'Send only events after the one that "Last-Event-ID" names.',
    source: html('9.2.4', 'the-last-event-id-header'),
    notebook: '06',
    look({ resumes }) {
      const bad = resumes.filter(({ repeated }) => repeated.length > 0);
      const first = bad[0];
      if (!first) return undefined;
      const inclusive = bad.every(({ repeated, lastId }) => repeated.length === 1 && repeated[0] === lastId);
      // With one event before the cut, "from the first event again" and "from the last one, inclusive" look the same.
      const saw = `Of ${count(resumes.length, 'cut')}, ${bad.length} brought events again that had come before the cut (${first.repeated.length} after the first of these cuts).`;
      return inclusive ? { saw, severity: 'warning' } : { saw };
    },
  },
  {
    id: 'stream-resume-refused',
    severity: 'serious',
    why: 'EventSource gives up for good when it reconnects and gets anything but a 200 with this type.',
    fix: 'Answer an id that is unknown with a 200 and what there is (an own event may tell of the gap). 204 is only for a stream that is over.',
    source: html('9.2.3', 'processing-model'),
    notebook: '06',
    look({ resumes }) {
      const bad = resumes.find(({ status }) => status !== 200 && status !== 204 && status !== 0);
      return bad && { saw: `With "Last-Event-ID", the answer was ${bad.status}.` };
    },
  },
  {
    id: 'stream-no-ids',
    severity: 'warning',
    why: 'Without ids a reader cannot say where it was when the connection broke. What happened meanwhile is lost.',
    fix: 'Give each event an "id", and resume after "Last-Event-ID".',
    source: html('9.2.4', 'the-last-event-id-header'),
    notebook: '06',
    look({ transcript: { events } }) {
      // An answer of one event is complete, or lost as a whole.
      if (events.length < 2 || events.some(({ id }) => id !== undefined)) return undefined;
      return { saw: `None of ${count(events.length, 'event')} has an id.` };
    },
  },
  {
    id: 'stream-silence',
    severity: 'warning',
    why: 'Proxies close a connection on which nothing comes: nginx and many load balancers after 60 s, some sooner. A reader cannot tell silence from a broken connection.',
    fix: 'Send a comment (":\\n\\n") when nothing has been sent for 15 s.',
    source: html('9.2.7', 'authoring-notes'),
    notebook: '06',
    look({ silenceMs, exchange, transcript }) {
      const { ending } = exchange;
      if (silenceMs < QUIET_MS || (transcript.comments.length > 0 && silenceMs < PROXY_TIMEOUT_MS)) return undefined;
      if (silenceMs >= PROXY_TIMEOUT_MS) return { saw: `Nothing came for ${duration(silenceMs)}.` };
      const more = ending === 'closed' ? ' (--for 90s shows whether a heartbeat comes within a minute)' : '';
      return { severity: 'note', saw: `Nothing came for ${duration(silenceMs)}, and no comment at all${more}.` };
    },
  },
  {
    id: 'stream-cut',
    severity: 'serious',
    why: 'The connection broke without an end of the body. Something between the reader and the server, or the server itself, does this to every reader.',
    fix: 'If it came after a silence, raise the time-out ("proxy_read_timeout") and send heartbeats. If not, look at the server\'s own limit on a response.',
    source: nginx('proxy_read_timeout'),
    notebook: '06',
    look({ exchange: { ending, endedAt = 0, error, pieces, headAt = 0 } }) {
      if (ending !== 'cut') return undefined;
      const silence = endedAt - (pieces.at(-1)?.at ?? headAt);
      return {
        saw: `The connection broke after ${duration(endedAt)}, ${duration(silence)} after the last byte${error ? ` (${error})` : ''}.`,
      };
    },
  },
  {
    id: 'stream-ends',
    severity: 'warning',
    why: 'EventSource reconnects after an end, again and again. It stops only for a 204, or when the page closes it.',
    fix: 'Answer a reader that has everything with 204, or send a last event for which the page calls close().',
    source: html('9.2.3', 'processing-model'),
    notebook: '05',
    look({ exchange, transcript, again }) {
      if (exchange.ending !== 'whole' || !again || again.exchange.status !== 200) return undefined;
      const first = new Set(transcript.events.map(({ id, event, data }) => JSON.stringify([id, event, data])));
      const repeated = again.transcript.events.filter(({ id, event, data }) =>
        first.has(JSON.stringify([id, event, data])),
      );
      const ended = `The server ended the stream after ${duration(exchange.endedAt ?? 0)}`;
      if (repeated.length > 0)
        return { saw: `${ended}. A reader that came back got ${count(repeated.length, 'event')} again.` };
      return { severity: 'note', saw: `${ended}, and gave a reader that came back a new one.` };
    },
  },
  {
    id: 'stream-caching',
    severity: 'warning',
    why: 'A cache on the way may keep the answer, and play an old stream to a new reader.',
    fix: 'Send "Cache-Control: no-store" (or "no-cache").',
    source: rfc(9111, '4.2.2'),
    notebook: '05',
    look({ exchange: { headers } }) {
      const control = headers['cache-control'] ?? '';
      if (/no-store|no-cache|private|max-age=0/i.test(control)) return undefined;
      return {
        saw: control
          ? `"Cache-Control: ${control}" lets a cache keep the stream.`
          : 'The answer has no "Cache-Control".',
      };
    },
  },
  {
    id: 'stream-proxy-hints',
    severity: 'note',
    why: 'nginx buffers answers unless it is told otherwise, and proxies may compress them.',
    fix: 'Send "X-Accel-Buffering: no" and "Cache-Control: no-transform". (nginx obeys the first, and does not pass it on.)',
    source: rfc(9111, '5.2.2.6'),
    notebook: '06',
    look({ exchange: { headers } }) {
      const told = /no-transform/i.test(headers['cache-control'] ?? '') || headers['x-accel-buffering'] !== undefined;
      if (told || /nginx|openresty/i.test(headers.server ?? '')) return undefined;
      return { saw: 'Nothing in the head tells proxies to leave the stream as it is.' };
    },
  },
  {
    id: 'stream-retry',
    severity: 'warning',
    why: '"retry" is how long each reader waits before it reconnects: too short, and a server that restarts is overrun; too long, and readers miss what happens.',
    fix: 'Send "retry:" with a whole number of milliseconds, between one second and a minute.',
    source: html('9.2.6', 'event-stream-interpretation'),
    notebook: '05',
    look({ transcript: { retries, badRetries } }) {
      if (badRetries.length > 0)
        return { saw: `"retry: ${badRetries[0]}" is no whole number of milliseconds, and is ignored.` };
      const retry = retries.at(-1);
      if (retry === undefined)
        return {
          severity: 'note',
          saw: 'There is no "retry": each browser waits as long as it likes (Chromium 3 s, Firefox 5 s).',
        };
      if (retry >= 500 && retry <= 120_000) return undefined;
      return { saw: `"retry" is ${duration(retry)}.` };
    },
  },
  {
    id: 'stream-format',
    severity: 'warning',
    why: 'A reader ignores lines whose field it does not know, and events without "data". It is not told.',
    fix: 'Write each line of the text as "data: …", and end each event with a blank line.',
    source: html('9.2.6', 'event-stream-interpretation'),
    notebook: '05',
    look({ transcript: { unknownFields, emptyEvents, unfinished }, exchange: { ending } }) {
      if (unknownFields.length > 0) {
        return {
          saw: `${count(unknownFields.length, 'line')} with an unknown field, the first "${unknownFields[0]!.slice(0, 40)}".`,
        };
      }
      if (emptyEvents > 0) return { saw: `${count(emptyEvents, 'event')} without "data": no reader dispatches them.` };
      if (ending === 'whole' && unfinished)
        return { saw: 'The last event has no blank line behind it, so it is never dispatched.' };
      return undefined;
    },
  },
  {
    id: 'stream-cors',
    severity: 'note',
    why: 'A page of another origin can read the stream only if the answer allows it.',
    fix: 'Send "Access-Control-Allow-Origin" with the origins that you mean; for cookies, the very origin and "Access-Control-Allow-Credentials: true".',
    source: { name: 'Fetch, CORS protocol', url: 'https://fetch.spec.whatwg.org/#http-cors-protocol' },
    notebook: '05',
    look({ foreign }) {
      if (!foreign || foreign.headAt === undefined) return undefined;
      const allowed = foreign.headers['access-control-allow-origin'];
      const credentials = foreign.headers['access-control-allow-credentials'] === 'true';
      const { origin } = foreign.ask.headers ?? {};
      if (allowed === origin && credentials) {
        return {
          severity: 'warning',
          saw: `A page of any origin may read the stream with the visitor's cookies: the answer allowed ${origin}, which nobody can have listed.`,
        };
      }
      if (allowed === '*' && credentials)
        return { severity: 'warning', saw: '"*" together with credentials is refused by browsers.' };
      if (allowed !== undefined) return undefined;
      return {
        saw: `A page of another origin (${origin}) cannot read it (status ${foreign.status}). That is right if only your own pages should.`,
      };
    },
  },
  {
    id: 'stream-six-connections',
    severity: 'note',
    why: 'Over HTTP/1.1 a browser opens six connections to a host, for all its tabs. The seventh stream waits in silence, and so does every other request.',
    fix: 'Serve HTTP/2, or share one stream among the tabs (a SharedWorker, or a BroadcastChannel with a leader).',
    source: html('9.2.7', 'authoring-notes'),
    notebook: '07',
    look({ exchange, http2 }) {
      const secure = exchange.ask.url.startsWith('https:');
      if (http2 && secure) {
        const { maxStreams } = http2;
        return maxStreams !== undefined && maxStreams < 100
          ? { severity: 'warning', saw: `HTTP/2 is served, with only ${maxStreams} streams at a time for a browser.` }
          : undefined;
      }
      return { saw: secure ? 'HTTP/2 is not served.' : 'The URL is "http:": browsers speak HTTP/1.1 to it.' };
    },
  },
  {
    id: 'stream-goaway',
    severity: 'note',
    why: 'The server takes no new stream on this connection, and will close it. A browser opens another one for what it asks next.',
    fix: 'If the server was not about to stop, look for a limit on requests or age of a connection, such as nginx\'s "keepalive_requests" and "keepalive_time".',
    source: rfc(9113, '6.8'),
    notebook: '07',
    look({ exchange: { goaway } }) {
      return goaway && { saw: `GOAWAY came after ${duration(goaway.at)}, with error code ${goaway.code}.` };
    },
  },
  {
    id: 'stream-unread',
    severity: 'warning',
    why: 'A phone that sleeps, or a page that is busy, does not read. What the server keeps for such a reader costs memory, and what it drops is lost.',
    fix: 'Keep a cursor for each reader and no queue, or a queue with a bound; past the bound, close the connection, so that the reader resumes.',
    source: rfc(9113, '5.2'),
    notebook: '12',
    look({ unread }) {
      if (!unread) return undefined;
      const { heldMs, events, bytes, fits, lost, closed } = unread;
      const reader = `A reader that read nothing for ${duration(heldMs)}`;
      const meanwhile = `${count(events, 'event')} (${count(bytes, 'byte')})`;
      if (closed)
        return { severity: 'note', saw: `${reader} lost its connection, while another one got ${meanwhile}.` };
      if (lost > 0) {
        return {
          saw: `${reader} missed ${lost} of ${meanwhile} that another one got meanwhile. Its connection stayed open.`,
        };
      }
      if (fits) return undefined;
      return {
        severity: 'note',
        saw: `${reader} got what another one got meanwhile, ${meanwhile}, when it read again. Whether there is a bound on what is kept for it cannot be seen from outside.`,
      };
    },
  },
];
