import { Overtaken } from '../../core/log/errors.js';

/** Makes a change of a job; again, from the job's newer state, whenever another server has changed the job first. */
export async function untilFirst(change: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
    }
  }
}
