import type { z } from 'zod';
import type { Technique } from '../../techniques.js';
import type { HttpExchange } from '../http/http-exchange.js';

/** What answers a request. */
export type Answer = (x: HttpExchange) => void | Promise<void>;

/**
 * A route: which requests it takes, what answers them, and how. This one declaration is served, and is described by
 * `GET /openapi.json`, which adds what holds for every route (see `openapi.ts`).
 */
export interface Route {
  method: 'GET' | 'POST' | 'DELETE';
  /** `{id}` stands for a job's id. */
  path: string;
  answer: Answer;
  /** Which technique a request is, for the ledger. Called before the request is answered. Left out: `other`. */
  technique?: (x: HttpExchange) => Technique;
  /** Names the operation, once in the whole interface (OpenAPI's `operationId`). */
  operation: string;
  tag: 'jobs' | 'events' | 'ledger' | 'server';
  summary: string;
  description?: string;
  /** The parameters of its own, in the query or the headers. */
  takes?: Parameter[];
  /** The body that it needs, by media type. */
  body?: Record<string, Content>;
  /** Its own answers, by status. */
  answers: Record<number, Response>;
}

/** A part of a request beside its body. The path's is added by `openapi.ts`. */
export interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  description: string;
  schema: z.ZodType;
  example?: unknown;
}

/** A field of an answer's head. */
export interface Header {
  name: string;
  description: string;
  schema: z.ZodType;
  /** Whether it is in every such answer. */
  required?: boolean;
}

export interface Content {
  schema: z.ZodType;
  example?: unknown;
  examples?: Record<string, { summary?: string; value: unknown }>;
}

export interface Response {
  description: string;
  headers?: Header[];
  /** By media type. */
  content?: Record<string, Content>;
  links?: Record<string, Link>;
}

/** What a client may do next, with what the answer has told it. */
export interface Link {
  operation: string;
  /** Runtime expressions of OpenAPI, by parameter. */
  parameters: Record<string, string>;
  description: string;
}

/** An answer in JSON. */
export const json = (description: string, schema: z.ZodType, ...headers: Header[]): Response => ({
  description,
  headers,
  content: { 'application/json': { schema } },
});

/** An answer without content. */
export const empty = (description: string, ...headers: Header[]): Response => ({ description, headers });

/** An answer that is one text. */
export const text = (description: string, type: string, schema: z.ZodType): Response => ({
  description,
  content: { [type]: { schema } },
});
