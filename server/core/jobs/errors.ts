/** The job is unknown. */
export class NoSuchJob extends Error {
  constructor(jobId: string) {
    super(
      `There is no job "${jobId}": it never existed, or it was among the oldest finished ones, which are forgotten. Submit it again.`,
    );
  }
}

/** Too many jobs are unfinished. */
export class TooManyJobs extends Error {
  constructor(most: number) {
    super(`${most} jobs are unfinished, and no more are taken. Come back when some have ended.`);
  }
}
