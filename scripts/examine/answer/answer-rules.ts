import type { Exchange } from '../exchange.js';
import { duration, type Rule } from '../finding.js';

/** What was seen of an endpoint that is no event stream. */
export interface AnswerSeen {
  readonly exchange: Exchange;
  readonly kind: 'answer' | 'none';
}

const rfc = (number: number, section: string) => ({
  name: `RFC ${number}, section ${section}`,
  url: `https://www.rfc-editor.org/rfc/rfc${number}#section-${section}`,
});
const processing = {
  name: 'HTML, section 9.2.3',
  url: 'https://html.spec.whatwg.org/multipage/server-sent-events.html#processing-model',
};

/** Whether an answer is a page to log in on. */
const isLogin = ({ headers, text, ask }: Exchange) =>
  /html/i.test(headers['content-type'] ?? '') &&
  (/<input[^>]+type=["']?password/i.test(text) || /\/(log|sign)-?in\b/i.test(new URL(ask.url).pathname));

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
    id: 'answer-login-page',
    severity: 'serious',
    why: 'EventSource and fetch get a page for people in place of data: a 200, or a redirect to it, looks like success.',
    fix: 'Answer programs with 401 (and "WWW-Authenticate"), never with a redirect to the login page. If you only forgot to say who you are: --header "Cookie: …" or "Authorization: …".',
    source: rfc(9110, '15.5.2'),
    notebook: '05',
    look: ({ exchange }) =>
      isLogin(exchange) ? { saw: `The answer (${exchange.status}) is a page to log in on.` } : undefined,
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
];
