// @ts-check

/** Something a person can mend. Its message is all they need to read: what was expected, what was got, what to do. */
export class Problem extends Error {
  /**
   * @param {string} message
   * @param {{ exitCode?: 1 | 2, details?: string }} [options] `exitCode` 2 (the default): it could not be
   *   tried; 1: it was tried and failed. `details`: the last words of the program behind it.
   */
  constructor(message, { exitCode = 2, details = '' } = {}) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}
