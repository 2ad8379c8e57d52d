import { statusName } from '../problem.js';

/** Why a job failed, as the problem object that its clients see (RFC 9457). The titles are those of the HTTP statuses. */
export const failure = (status: number, detail: string) => ({
  ...{ type: 'about:blank', title: statusName(status), status, detail },
});
