import type { ServerResponse } from 'node:http';
import { writeSharedHead as writeAll } from '../../../server/edge/http/shared-heads.js';

/** Stands in the place of what writes the head of an answer: it writes the two headers that the bare server has, and no others. */
export function writeSharedHead(res: ServerResponse, status: number, fields: (string | number)[]): void {
  const two: (string | number)[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name === 'Content-Type' || name === 'Content-Length') two.push(name, fields[at + 1] as string | number);
  }
  writeAll(res, status, two);
}
