/** What was to be stored could not be written, and nothing was changed. The message says why and what to do. */
export class NotWritable extends Error {
  constructor(reason: string) {
    super(`The data folder cannot be written (${reason}). Nothing was changed. Free some space, and try again.`);
  }
}

/** Another server has changed the job first, or works on it now, or has used its Idempotency-Key. Nothing was changed. */
export class Overtaken extends Error {}

/** The store does not say what it holds, so that an answer might be stale. The message says why and what to do. */
export class NotReadable extends Error {
  constructor(reason: string) {
    super(`The store cannot be reached (${reason}). Try again.`);
  }
}
