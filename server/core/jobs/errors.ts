/** The job is unknown. */
export class NoSuchJob extends Error {
  constructor(jobId: string) {
    super(
      `There is no job "${jobId}": it never existed, or it was among the oldest finished ones, which are forgotten. Submit it again.`,
    );
  }
}

/** As many jobs are unfinished as may be. */
export class TooManyJobs extends Error {
  constructor(most: number) {
    super(`${most} jobs are unfinished, and no more are taken. Come back when some have ended.`);
  }
}

/** The uploads that wait to be read take as much of the disk as they may. */
export class TooManyUploads extends Error {
  constructor(mostBytes: number) {
    super(
      `The uploads that wait to be read may take ${mostBytes} bytes, and this one would be more. Come back when some have ended.`,
    );
  }
}
