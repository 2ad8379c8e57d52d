import { Delivery as KeptDelivery } from '../../../server/core/log/delivery.js';
import type { Cursor, Topic } from '../../../server/core/log/topic.js';

/** Stands in the place of what shares out a fan-out to turns of the event loop: it serves all clients in one loop. */
export class Delivery extends KeptDelivery {
  private readonly cursors = this as unknown as { serve(cursor: Cursor): void };

  override wake(topic: Topic): void {
    const behind = [...(topic.ended ? topic.patient : []), ...topic.readers];
    if (behind.length === 0) return;
    setImmediate(() => {
      for (const cursor of behind) if (topic.queueOf(cursor).has(cursor)) this.cursors.serve(cursor);
    });
  }
}
