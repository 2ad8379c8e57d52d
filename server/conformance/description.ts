import { expect } from 'vitest';
import { z } from 'zod';
import type { Answer } from './client.js';

interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

interface Described {
  headers?: Record<string, { required?: boolean; schema: object }>;
  content?: Record<string, Media>;
  links?: Record<string, { operationId: string; parameters: Record<string, string> }>;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: object;
  example?: unknown;
}

export interface Operation {
  operationId: string;
  summary: string;
  parameters: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, Described>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, unknown>>;
  security: Record<string, string[]>[];
}

/** An interface as its OpenAPI document describes it, and whether an answer is as described. */
export class Description {
  /** The document as it was written. */
  readonly source: Document;
  /** With every reference but those to schemas (which may be recursive) replaced by what it names. */
  readonly document: Document;
  readonly operations: { path: string; method: string; operation: Operation }[];
  #validators = new Map<object, z.ZodType>();

  constructor(text: string) {
    this.source = JSON.parse(text) as Document;
    this.document = this.#resolve(this.source) as Document;
    this.operations = Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
  }

  /** A validator of a schema. Members that it does not tell of are faults, unless it says that there may be more. */
  validator(schema: object): z.ZodType {
    const known = this.#validators.get(schema);
    if (known) return known;
    const definitions = this.source.components.schemas;
    const whole = JSON.stringify({ ...schema, $defs: definitions });
    const local = whole.replaceAll('#/components/schemas/', '#/$defs/');
    const made = z.fromJSONSchema(closed(JSON.parse(local)) as z.core.JSONSchema.JSONSchema);
    this.#validators.set(schema, made);
    return made;
  }

  /** Checks an answer's status, headers, type and body. Returns the operation that it answers. */
  check(method: string, path: string, answer: Answer): Operation {
    const found = this.operations.find((each) => each.method === method && each.path === path);
    const where = `${method} ${path} ${answer.status} ${answer.text.slice(0, 300)}`;
    if (!found) throw new Error(`not described: ${where}`);
    const { operation } = found;
    const described = operation.responses[answer.status];
    expect(described, where).toBeDefined();
    for (const [name, { required, schema }] of Object.entries(described?.headers ?? {})) {
      const value = answer.headers[name.toLowerCase()];
      if (required) expect(value, `${name} of ${where}`).toBeDefined();
      if (value === undefined) continue;
      const { type } = schema as { type?: string };
      const told = type === 'integer' ? Number(value) : value;
      expect(this.validator(schema).safeParse(told).error, `${name} of ${where}`).toBeUndefined();
    }
    // Headers that mean something to this interface are told of wherever they are sent.
    for (const name of ['ETag', 'Location', 'Retry-After', 'Preference-Applied', 'Accept-Post']) {
      if (name.toLowerCase() in answer.headers) expect(described?.headers, where).toHaveProperty(name);
    }
    if (!described?.content) {
      expect(answer.text, where).toBe('');
      return operation;
    }
    const media = described.content[answer.type];
    expect(media, `${answer.type} of ${where}`).toBeDefined();
    const body = answer.type.endsWith('json') ? answer.json() : answer.text;
    expect(this.validator(media!.schema).safeParse(body).error, where).toBeUndefined();
    return operation;
  }

  #resolve(node: unknown): unknown {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map((one) => this.#resolve(one));
    const { $ref } = node as { $ref?: string };
    const [, kind = '', name = ''] = /^#\/components\/(\w+)\/([\w-]+)$/.exec($ref ?? '') ?? [];
    if ($ref === undefined || kind === 'schemas') {
      return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, this.#resolve(value)]));
    }
    return this.#resolve(this.source.components[kind]?.[name]);
  }
}

function closed(node: unknown): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) {
    return Array.isArray(node) ? node.map(closed) : node;
  }
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  const isObject = copy.type === 'object' && 'properties' in copy;
  return isObject && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
}
