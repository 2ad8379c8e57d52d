import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { HEADERS, PARAMETERS, RESPONSES } from './parts.js';
import type { Content, Header, Parameter, Response, Route } from './route.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

const ABOUT = `The server behind the course on polling and server-sent events. \`POST /jobs\` gives you a job; the rest are ways to learn how it goes.
**Held for all of it:**
- Errors are \`application/problem+json\` (RFC 9457). A \`detail\` says what was expected, what was got, and what to do.
- \`404\` for an unknown path, \`405\` with \`Allow\` for a method that a path does not take.
- \`HEAD\` is as \`GET\`, has no content, and never waits. \`OPTIONS\` answers \`204\` with \`Allow\`, and preflights of allowed origins.
- Unknown query parameters and JSON members are ignored.
- Answers are \`Cache-Control: no-store\`, and those of streams \`no-transform\` as well, against compression by a proxy. Only the status of a job, asked for without a wait, is \`no-cache\`: a cache may keep it, and must ask with its \`ETag\` before each use.
- An answer that a wait may change has \`Vary: Prefer\` (RFC 7240, section 2).
- Timestamps are RFC 3339 in UTC; durations are in the unit that the name bears (\`durationMs\`).
- Pages of allowed origins may read \`ETag\`, \`Location\`, \`Retry-After\` and \`Preference-Applied\`.
- What was told to a client survives the server being killed at any moment.`;

const FRAME = {
  openapi: '3.1.1',
  info: {
    title: 'Polling Lab',
    version,
    summary: 'A job, and every way to wait for it: short polling, long polling, server-sent events, consuming.',
    description: ABOUT,
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [
    {
      url: '.',
      description:
        'Where this description was read. The same is served by HTTP/1.1, and by HTTP/1.1 and HTTP/2 over TLS (`httpsUrl` of `GET /healthz`).',
    },
  ],
  tags: [
    { name: 'jobs', description: 'Submit, ask, wait, cancel.' },
    { name: 'events', description: 'One log, and cursors on it.' },
    { name: 'ledger', description: 'What the server saw.' },
    { name: 'server', description: 'The server itself.' },
  ],
};

/** How a request bears the access token, where the server has one (RFC 6750). */
const SCHEMES = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'The access token (`--access-token`), on a server that has one.',
  },
  query: {
    type: 'apiKey',
    in: 'query',
    name: 'access_token',
    description: 'The same, for a client that cannot set a header.',
  },
};
const ACCESS = Object.keys(SCHEMES);

/** What any request may get, whatever its route: from the guard and the HTTP parser. */
const ALWAYS = {
  400: RESPONSES.BadRequest,
  401: RESPONSES.Unauthorized,
  403: RESPONSES.Forbidden,
  408: RESPONSES.TooSlow,
  417: RESPONSES.ExpectationFailed,
  421: RESPONSES.Misdirected,
  431: RESPONSES.HeadTooLarge,
};

/** The interface as an OpenAPI 3.1 document: what the routes declare, and what holds for each of them. */
export function describe(routes: readonly Route[]): object {
  const schemas: Record<string, unknown> = {};
  /** The JSON Schema of a schema; those that have a name (`id`) stand among the components. */
  const schemaOf = (schema: z.ZodType): object => {
    const { $schema, $defs, ...own } = z.toJSONSchema(schema, { io: 'input', override: unbounded }) as Record<
      string,
      object
    >;
    const local = JSON.stringify({ own, $defs }).replaceAll('"#/$defs/', '"#/components/schemas/');
    const moved = JSON.parse(local) as { own: object; $defs?: object };
    Object.assign(schemas, moved.$defs);
    return moved.own;
  };
  const content = (media: Record<string, Content> | undefined) =>
    media && map(media, ({ schema, ...more }) => ({ schema: schemaOf(schema), ...more }));
  const header = ({ name, schema, ...more }: Header) => ({
    ...more,
    schema: schemaOf(schema),
  });
  const response = (told: Response) => ({
    description: told.description,
    ...(told.headers?.length && {
      headers: Object.fromEntries(told.headers.map((one) => [one.name, reference('headers', HEADERS, one, header)])),
    }),
    ...(told.content && { content: content(told.content) }),
    ...(told.links && { links: map(told.links, ({ operation, ...link }) => ({ operationId: operation, ...link })) }),
  });
  const parameter = ({ schema, ...more }: Parameter) => ({
    ...more,
    ...(more.in === 'path' && { required: true }),
    schema: schemaOf(schema),
  });

  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const hasId = route.path.includes('{id}');
    const takes = [
      ...(hasId ? [PARAMETERS.id] : []),
      ...(route.takes ?? []),
      ...(route.takes?.some(({ name }) => name === 'experiment') ? [] : [PARAMETERS.experiment]),
      PARAMETERS.Experiment,
    ];
    const answers: Record<number, Response> = {
      ...ALWAYS,
      ...(Object.entries(route.answers).some(([status, one]) => Number(status) < 300 && one.content) && {
        406: RESPONSES.NotAcceptable,
      }),
      ...(hasId && { 404: RESPONSES.NotFound }),
      ...(route.body && { 413: RESPONSES.TooLarge, 415: RESPONSES.UnsupportedMediaType }),
      ...route.answers,
    };
    const methods = paths[route.path] ?? {};
    paths[route.path] = methods;
    methods[route.method.toLowerCase()] = {
      operationId: route.operation,
      tags: [route.tag],
      summary: route.summary,
      ...(route.description && { description: route.description }),
      parameters: takes.map((one) => reference('parameters', PARAMETERS, one, parameter)),
      ...(route.body && { requestBody: { required: true, content: content(route.body) } }),
      responses: map(answers, (one) => reference('responses', RESPONSES, one, response)),
    };
  }
  const shared = {
    parameters: map(PARAMETERS, parameter),
    headers: map(HEADERS, header),
    responses: map(RESPONSES, response),
  };
  return {
    ...FRAME,
    security: [{}, ...ACCESS.map((scheme) => ({ [scheme]: [] }))],
    paths,
    components: { ...shared, schemas, securitySchemes: SCHEMES },
  };
}

/** Leaves out bounds that are JavaScript's own: to a client they say nothing. */
function unbounded({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

/** A reference to a part that is shared; of any other, the part itself. */
function reference<T>(kind: string, shared: Record<string, NoInfer<T>>, part: T, whole: (part: T) => object): object {
  const name = Object.keys(shared).find((name) => shared[name] === part);
  return name === undefined ? whole(part) : { $ref: `#/components/${kind}/${name}` };
}

const map = <T, R>(record: Record<string, T>, to: (value: T) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]));
