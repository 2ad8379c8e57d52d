import type { z } from 'zod';
import { badRequest } from './problem.js';

/** A value that a schema takes. Error: 400, which names each member that is wrong, what it should be and what it is. */
export function valid<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message, input }) => {
    const got = JSON.stringify(input)?.slice(0, 100) ?? 'nothing';
    return `${path.join('.') || 'the body'}: ${message.replace(/^Invalid input: /, '')}, got ${got}`;
  });
  throw badRequest(`${faults.join('; ')}. GET /openapi.json describes what is taken.`);
}
