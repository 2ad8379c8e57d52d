import type { Exchange } from '../http/exchange.js';
import { jsonOf } from '../jobs/job.js';

/** `DELETE /jobs/{id}`: cancels. A finished job is left as it is. */
export async function cancel(x: Exchange): Promise<void> {
  x.accepts('application/json');
  const topic = x.job();
  await x.app.jobs.end(topic, { event: 'cancelled' });
  x.json(200, jsonOf(topic.job), { ETag: `"${topic.job.version}"` });
}
