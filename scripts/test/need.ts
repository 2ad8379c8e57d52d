import type { TestContext } from 'vitest';

/** Skips a test that needs what this machine does not have. It is counted and printed, and fails where `CI` is set. */
export function need(context: TestContext, present: unknown, what: string): void {
  if (present) return;
  const message = `${context.task.name}: needs ${what}`;
  if (process.env.CI) throw new Error(message);
  console.warn(`SKIPPED ${message}`);
  context.skip(message);
}
