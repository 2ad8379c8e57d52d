/** How a client learns what it wants to know. The names are those of the server's ledger. */
export type Technique = 'submit' | 'short-poll' | 'long-poll' | 'event-stream' | 'consume' | 'other';

/**
 * A colour for each technique, the same in every chart of the course. They are told apart by colour-blind
 * readers too: Okabe and Ito, "Color Universal Design", https://jfly.uni-koeln.de/color/.
 */
export const COLOURS: Record<Technique, string> = {
  submit: '#D55E00',
  'short-poll': '#0072B2',
  'long-poll': '#E69F00',
  'event-stream': '#009E73',
  consume: '#CC79A7',
  other: '#767676',
};

/** What is neither measured nor a technique: predictions, the job itself, rules and labels. */
export const INK = { prediction: '#555555', job: '#DDDDDD', text: '#222222', quiet: '#767676' };

/**
 * Names the technique of a request, by the same rule as the server but on the client's side of the wire: the
 * two must come to the same count without having spoken.
 */
export function techniqueOf(method: string, url: URL, headers: Headers): Technique {
  const waits = url.searchParams.has('wait') || /(^|,)\s*wait\s*=/i.test(headers.get('prefer') ?? '');
  const path = url.pathname;
  if (path === '/jobs' && method === 'POST') return 'submit';
  if (/^(\/jobs\/[^/]+)?\/events$/.test(path)) {
    return /json/i.test(headers.get('accept') ?? '') ? 'consume' : 'event-stream';
  }
  if (method !== 'GET' && method !== 'HEAD') return 'other';
  if (/^\/jobs\/[^/]+\/result$/.test(path)) return waits ? 'long-poll' : 'other';
  if (/^\/jobs\/[^/]+$/.test(path)) return waits ? 'long-poll' : 'short-poll';
  return 'other';
}
