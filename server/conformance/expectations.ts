import { expect } from 'vitest';
import type { Answer } from './client.js';
import type { Problem } from './types.js';

/** An RFC 3339 timestamp in UTC. */
export const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** "Errors are `application/problem+json` (RFC 9457), with a `detail`". */
export function expectProblem(answer: Pick<Answer, 'status' | 'type' | 'text'>, ...statuses: number[]): Problem {
  expect(statuses, `status of: ${answer.text.slice(0, 500)}`).toContain(answer.status);
  expect(answer.type).toBe('application/problem+json');
  const problem = JSON.parse(answer.text) as Problem;
  // RFC 9457, section 3.1.2: "if present, [status] is only advisory"; but then it is the same.
  if (problem.status !== undefined) expect(problem.status).toBe(answer.status);
  expect(problem.title ?? '').toMatch(/\S/);
  expect(problem.detail ?? '').toMatch(/\S/);
  return problem;
}

/** `Retry-After` in seconds (RFC 9110, section 10.2.3). */
export function expectRetryAfter(answer: Pick<Answer, 'headers'>): void {
  expect(answer.headers['retry-after']).toMatch(/^\d+$/);
}
