import type { Exchange } from '../exchange.js';
import { count, duration, type Rule } from '../finding.js';
import { html, rfc } from '../sources.js';
import { longestSilence } from '../stream/transcript.js';
import { type AnswerSeen, WAIT_S } from './watch-answer.js';

const processing = {
  name: 'HTML, section 9.2.3',
  url: 'https://html.spec.whatwg.org/multipage/server-sent-events.html#processing-model',
};

/** Whether an answer is a login page. */
const isLogin = ({ headers, text, ask }: Exchange) =>
  /html/i.test(headers['content-type'] ?? '') &&
  (/<input[^>]+type=["']?password/i.test(text) || /\/(log|sign)-?in\b/i.test(new URL(ask.url).pathname));

/** How much of a body has come, in words: a number of JSON lines if all whole lines are JSON, otherwise a number of pieces. */
function soFar({ pieces, text }: Exchange): string {
  const lines = text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.trim() !== '');
  return lines.length > 0 && lines.every(isJson)
    ? `${count(lines.length, 'line')} of JSON`
    : count(pieces.length, 'piece');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What can be wrong with an answer that is no event stream. */
export const answerRules: readonly Rule<AnswerSeen>[] = [
  {
    id: 'answer-none',
    severity: 'warning',
    why: 'A stream has to send its response head at once. If this is a long poll, it is held longer than it was watched.',
    fix: 'For a stream: flush the headers, and look for a proxy that buffers ("proxy_buffering off"). For a long poll: watch longer (--for 90s).',
    source: processing,
    notebook: '06',
    look: ({ exchange, kind }) =>
      kind === 'none'
        ? { saw: `Not even a response head came within ${duration(exchange.endedAt ?? exchange.now)}.` }
        : undefined,
  },
  {
    id: 'answer-unending',
    severity: 'note',
    why: 'A client that waits for the whole answer waits forever. A client that reads the answer as it comes needs its own code to parse it, to reconnect, and to resume where it stopped: EventSource does this for event streams only.',
    fix: 'If it is a stream for web pages, send it as text/event-stream with ids. In any other format, put a cursor into each message, from which a client can resume, and send a heartbeat after 15 s without a message. If it is not meant to be a stream, end the body.',
    source: html('9.2.1', 'server-sent-events-intro'),
    notebook: '05',
    look({ exchange, kind }) {
      const { now } = exchange;
      if (kind === 'none' || exchange.endedAt !== undefined) return undefined;
      if (exchange.bytes === 0)
        return { saw: `The response head came, and nothing of the body within ${duration(now)}.` };
      return {
        saw: `The body did not end within ${duration(now)}: ${soFar(exchange)} came, and the longest silence was ${duration(longestSilence(exchange))}.`,
      };
    },
  },
  {
    id: 'answer-cut',
    severity: 'serious',
    why: 'The answer is not complete: a client that uses what came works with a part of the answer.',
    fix: 'Look in the log of the server for an error that happened while it wrote the body, and check the time-outs of the proxies between server and client.',
    source: rfc(9112, '8'),
    notebook: '06',
    look({ exchange: { ending, endedAt = 0, bytes, error } }) {
      if (ending !== 'cut') return undefined;
      return {
        saw: `The connection broke after ${duration(endedAt)} and ${count(bytes, 'byte')} of the body, before its end${error ? ` (${error})` : ''}.`,
      };
    },
  },
  {
    id: 'answer-login-page',
    severity: 'serious',
    why: 'EventSource and fetch get a page for people in place of data: a 200, or a redirect to it, looks like success.',
    fix: 'Answer programs with 401 (and "WWW-Authenticate"), never with a redirect to the login page. If you only forgot to say who you are: --header "Cookie: …" or "Authorization: …".',
    source: rfc(9110, '15.5.2'),
    notebook: '05',
    look: ({ exchange }) =>
      isLogin(exchange) ? { saw: `The answer (${exchange.status}) is a login page.` } : undefined,
  },
  {
    id: 'answer-page',
    severity: 'warning',
    why: 'EventSource gives up for good when the type is not text/event-stream.',
    fix: 'Check the path. If it is right, the server may choose by "Accept": try --header "Accept: text/event-stream".',
    source: processing,
    notebook: '05',
    look: ({ exchange }) =>
      exchange.status === 200 && /html/i.test(exchange.headers['content-type'] ?? '') && !isLogin(exchange)
        ? { saw: 'The answer is an HTML page: neither an event stream nor data.' }
        : undefined,
  },
  {
    id: 'answer-204',
    severity: 'note',
    why: '204 tells EventSource not to come back.',
    fix: 'Nothing, if the stream is over. If it only has no news yet, answer 200 and keep it open.',
    source: processing,
    notebook: '05',
    look: ({ exchange }) => (exchange.status === 204 ? { saw: 'The answer is 204: no content.' } : undefined),
  },
  {
    id: 'answer-unavailable',
    severity: 'serious',
    why: 'EventSource gives up for good after any status but 200: a page that was open stays silent until it is loaded again.',
    fix: 'Find out why the server refuses. Pages should make a new EventSource after a pause when its readyState is CLOSED.',
    source: processing,
    notebook: '06',
    look({ exchange: { status, headers } }) {
      if (status !== 429 && status < 500) return undefined;
      const after = headers['retry-after'];
      return {
        saw: `The answer is ${status}, ${after === undefined ? 'without "Retry-After"' : `with "Retry-After: ${after}"`}.`,
      };
    },
  },
  {
    id: 'answer-refused',
    severity: 'warning',
    why: 'The endpoint did not answer as it would to its own clients, so nothing else could be looked at.',
    fix: 'Say what your client says: --header "Authorization: …", --header "Cookie: …", --method, --body.',
    source: rfc(9110, '15.5'),
    notebook: '01',
    look: ({ exchange: { status } }) =>
      status >= 400 && status < 500 && status !== 429 ? { saw: `The answer is ${status}.` } : undefined,
  },
  {
    id: 'submit-not-found',
    severity: 'serious',
    why: 'A client that asks at once takes the job for lost, and submits it again.',
    fix: 'Store the job before you answer the submit, where every server that may be asked reads it.',
    source: rfc(9110, '15.3.3'),
    notebook: '02',
    look: ({ job }) =>
      job && (job.status === 404 || job.status === 410)
        ? { saw: `The job at the "Location" of the submit was asked for at once: ${job.status}.` }
        : undefined,
  },
  {
    id: 'submit-no-location',
    severity: 'warning',
    why: 'A client that has no URL to ask cannot learn how the job ends.',
    fix: 'Send "Location" with the URL of the job.',
    source: rfc(9110, '15.3.3'),
    notebook: '02',
    look: ({ exchange: { status, headers, ask } }) =>
      (ask.method ?? 'GET') !== 'GET' && status === 202 && headers.location === undefined
        ? { saw: 'The submit was accepted (202) without a "Location".' }
        : undefined,
  },
  {
    id: 'submit-repeated',
    severity: 'serious',
    why: 'A client whose answer was lost submits again. Then the work is done, and paid for, twice.',
    fix: 'Keep the "Idempotency-Key" with the job, and answer a repeated submit with that job.',
    source: {
      name: 'The Idempotency-Key HTTP Header Field (Internet-Draft)',
      url: 'https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/',
    },
    notebook: '02',
    look({ exchange, second }) {
      const [one, two] = [exchange.headers.location, second?.headers.location];
      if (one === undefined || two === undefined || one === two) return undefined;
      return { saw: 'The same submit with the same "Idempotency-Key" made two jobs.' };
    },
  },
  {
    id: 'poll-wait-fails',
    severity: 'serious',
    why: 'The server, or a proxy on the way, fails requests that are held.',
    fix: 'Raise the time-out of the proxy above the longest wait, or hold for less.',
    source: rfc(7240, '4.3'),
    notebook: '04',
    look: ({ polled, waited }) =>
      polled && polled.status < 400 && waited && waited.status >= 500
        ? {
            saw: `With "Prefer: wait=${WAIT_S}", the answer was ${waited.status} after ${duration(waited.headAt ?? 0)}; without, ${polled.status}.`,
          }
        : undefined,
  },
  {
    id: 'poll-not-held',
    severity: 'note',
    why: 'A client that wants to wait has to poll.',
    fix: 'Hold the answer for as long as "Prefer: wait" says, and name it in "Preference-Applied". If there is a long poll under another URL, examine that.',
    source: rfc(7240, '4.3'),
    notebook: '04',
    look({ waited }) {
      if (!waited || waited.status >= 400 || waited.headAt === undefined) return undefined;
      if (waited.headers['preference-applied'] !== undefined || waited.headAt >= 750 * WAIT_S) return undefined;
      return {
        saw: `"Prefer: wait=${WAIT_S}" was answered after ${duration(waited.headAt)}, without "Preference-Applied": it was dropped, or there was nothing to wait for.`,
      };
    },
  },
  {
    id: 'poll-304-ignored',
    severity: 'warning',
    why: 'Each poll brings the whole answer, though the client has it.',
    fix: 'Compare "If-None-Match" with the "ETag", and answer 304 without a body. A proxy that compresses may have made the ETag another one.',
    source: rfc(9110, '13.1.2'),
    notebook: '03',
    look({ polled, again, conditional }) {
      if (
        conditional?.status !== 200 ||
        conditional.text !== polled?.text ||
        again?.headers.etag !== polled.headers.etag
      )
        return undefined;
      return { saw: `"If-None-Match" with the ETag ${polled.headers.etag} was answered 200 and the same body.` };
    },
  },
  {
    id: 'poll-etag-changes',
    severity: 'warning',
    why: 'A client can never learn that nothing has changed.',
    fix: 'Make the ETag from what the answer says (a version, a hash), not from the time, the process or the server.',
    source: rfc(9110, '8.8.3'),
    notebook: '03',
    look({ polled, again }) {
      const [one, two] = [polled?.headers.etag, again?.headers.etag];
      if (one === undefined || two === undefined || one === two || polled?.text !== again?.text) return undefined;
      return { saw: `The same body had the ETag ${one}, then ${two}.` };
    },
  },
  {
    id: 'poll-no-validator',
    severity: 'note',
    why: 'Each poll brings the whole answer, also when nothing has changed.',
    fix: 'Send an "ETag", and answer "If-None-Match" with 304.',
    source: rfc(9110, '8.8'),
    notebook: '03',
    look({ polled }) {
      if (polled?.status !== 200 || polled.headers.etag !== undefined || polled.headers['last-modified'] !== undefined)
        return undefined;
      return { saw: `The answer (${polled.bytes} bytes) has neither "ETag" nor "Last-Modified".` };
    },
  },
  {
    id: 'poll-cached',
    severity: 'warning',
    why: 'A browser or a proxy answers polls itself, with what was true earlier.',
    fix: 'Send "Cache-Control: no-cache" (kept, but asked about each time) or "no-store".',
    source: rfc(9111, '4.2'),
    notebook: '03',
    look({ polled }) {
      if (polled?.status !== 200) return undefined;
      const control = polled.headers['cache-control'] ?? '';
      const age = Number(/(?:^|[\s,])max-age=(\d+)/i.exec(control)?.[1] ?? 0);
      if (/no-cache|no-store/i.test(control)) return undefined;
      if (age > 0) return { saw: `"Cache-Control: ${control}" lets a cache answer for ${duration(1_000 * age)}.` };
      // RFC 9111, section 4.2.2: a cache guesses from Last-Modified where nothing is said.
      if (control === '' && polled.headers['last-modified'] !== undefined && polled.headers.expires === undefined) {
        return {
          saw: 'There is a "Last-Modified" and no "Cache-Control": a cache may guess for how long the answer holds.',
        };
      }
      return undefined;
    },
  },
  {
    id: 'poll-no-retry-after',
    severity: 'note',
    why: 'Without it, each client chooses its own interval, which is often too short.',
    fix: 'Send "Retry-After" with each answer that says "not yet".',
    source: rfc(9110, '10.2.3'),
    notebook: '03',
    look: ({ exchange, polled }) =>
      [exchange, polled].some((each) => each?.status === 202 && each.headers['retry-after'] === undefined)
        ? { saw: 'The answer is 202, without "Retry-After".' }
        : undefined,
  },
  {
    id: 'errors-no-problem',
    severity: 'note',
    why: 'A program cannot tell what went wrong from a page for people.',
    fix: 'Answer errors with application/problem+json and a "detail" that says what was expected.',
    source: rfc(9457, '3'),
    notebook: '02',
    look({ missing }) {
      if (!missing || missing.status < 400) return undefined;
      const type = (missing.headers['content-type'] ?? 'no type').split(';', 1)[0]!;
      return /json/i.test(type)
        ? undefined
        : { saw: `A URL that does not exist is answered with ${missing.status}, ${type}.` };
    },
  },
];
