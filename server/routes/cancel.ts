import type { Exchange } from '../http/exchange.js';
import { jobJson } from '../jobs/job.js';

/** `DELETE /jobs/{id}`: cancels. A finished job is left as it is. */
export async function cancel(x: Exchange): Promise<void> {
  x.accepts('application/json');
  const record = x.job();
  await x.app.jobs.end(record, { event: 'cancelled' });
  x.json(200, jobJson(record.job), { ETag: `"${record.job.version}"` });
}
