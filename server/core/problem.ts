import { STATUS_CODES } from 'node:http';

/** A status' name. Node has the older ones of two: RFC 9110, sections 15.5.14 and 15.5.21. */
export const statusName = (status: number) =>
  ({ 413: 'Content Too Large', 422: 'Unprocessable Content' })[status] ?? STATUS_CODES[status];

/**
 * An answer that says what went wrong, as `application/problem+json` (RFC 9457).
 * `detail` says what was expected, what was got, and what to do.
 */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    /** Headers the status calls for, such as `Allow` or `Retry-After`. */
    readonly headers: Record<string, string> = {},
    /** Further members of the problem object (RFC 9457, section 3.2). */
    readonly members: Record<string, unknown> = {},
  ) {
    super(detail);
  }

  /** The problem object. `about:blank`: the title is the status' own name (RFC 9457, section 4.2.1). */
  toJSON() {
    const { status, detail, members } = this;
    return { type: 'about:blank', title: statusName(status), status, detail, ...members };
  }
}

/** Tells a browser to take the content for what Content-Type says, and not to guess (Fetch standard, section 3.6). */
export const AS_IT_IS = { 'X-Content-Type-Options': 'nosniff' };

export const badRequest = (detail: string) => new Problem(400, detail);

/** Why a job failed, as the problem object that its clients see (RFC 9457). The titles are those of the HTTP statuses. */
export const failure = (status: number, detail: string) => new Problem(status, detail).toJSON();
