// @ts-check

/** An error that a person can fix. Its message says what was expected, what was got, and what to do. */
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
