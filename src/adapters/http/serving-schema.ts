import { z } from 'zod';
import { answers, interests } from '../../serve/answers.ts';
import { DEFAULT_ITEMS } from '../../serve/entities.ts';

/** Most entities of a list, candidates of a request to be ranked, and entities that a request leaves out. */
export const [MOST_ITEMS, MOST_RANKED, MOST_EXCLUDED] = [500, 1_000, 10_000];
export const BODY_BYTES = 256 * 1024;
/** Most characters of an entity. */
export const MAX_ID = 600;
/** Requests of one client in a minute, unless said: another service asks for all of its users. */
export const REQUESTS = 120_000;

/** Text of digits alone: `1e2` and `0x10` are no counts. */
const countText = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, `expected a whole number from 1 to ${MOST_ITEMS}`)
  .transform(Number)
  .pipe(z.number().max(MOST_ITEMS));
const countParameter = countText.default(DEFAULT_ITEMS);
const COUNT_PARAMETER = { type: 'integer', minimum: 1, maximum: MOST_ITEMS, default: DEFAULT_ITEMS } as const;
const count = z.number().int().min(1).max(MOST_ITEMS);
/** As in events: no control characters, and none of the halves of a pair that UTF-8 can't encode. */
const printable = z
  .string()
  .max(MAX_ID)
  .regex(/^(?!\s*$)[^\p{Cc}\p{Cs}]+$/u, 'expected an id without control characters');
/** The id of a user, with or without `user:`. */
export const userId = printable.min(1);
export const entityId = printable.min(3);
const name = z.string().regex(/^[a-z][a-z0-9-]{0,99}$/, 'expected lower-case letters, digits and dashes');
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A time such as 90s, 30m, 12h or 30d, as milliseconds. */
const timeText = z
  .string()
  .regex(/^[1-9]\d{0,4}[smhd]$/, 'expected a time such as 90s, 30m, 12h or 30d')
  .transform((text) => Number.parseInt(text, 10) * UNITS[text.slice(-1)]!);
const yes = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Whom a list is for: an entity, or a user by the id alone; and what it shows: a type, or a surface. */
const asked = {
  from: entityId.optional(),
  user: userId.optional(),
  to: name.optional(),
  surface: name.optional(),
};
/** Entities with commas between them. */
const entitiesText = z
  .string()
  .max(8_000)
  .transform((text) => (text === '' ? [] : text.split(',')))
  .pipe(z.array(entityId).max(MOST_EXCLUDED))
  .default([]);

/** What lists take, in a query and in a body. */
const ofQuery = { k: countParameter, exclude: entitiesText, explain: yes.default(false) };
const ofBody = {
  k: count.default(DEFAULT_ITEMS),
  exclude: z.array(entityId).max(MOST_EXCLUDED).default([]),
  explain: z.boolean().default(false),
};
const ofCandidates = {
  ...asked,
  relation: name.optional(),
  graph: name.optional(),
  /** Leaves out what no event named for so long. */
  idle: timeText.optional(),
  interests: interests.default('none'),
};
const ofSimilar = { entity: entityId, graph: name.optional() };

export const candidatesQuery = z.strictObject({ ...ofCandidates, ...ofQuery });
export const candidatesBody = z.strictObject({ ...ofCandidates, ...ofBody });
export const similarQuery = z.strictObject({ ...ofSimilar, ...ofQuery });
export const similarBody = z.strictObject({ ...ofSimilar, ...ofBody });
export const searchQuery = z.strictObject({
  /** What somebody typed; normalised as in events. */
  q: printable.min(1),
  type: name,
  k: countParameter,
  graph: name.optional(),
  idle: timeText.optional(),
});
export const rankBody = z.strictObject({
  from: entityId.optional(),
  user: userId.optional(),
  relation: name,
  candidates: z.array(entityId).min(1).max(MOST_RANKED),
  graph: name.optional(),
});

export const recentQuery = z.strictObject({
  entity: entityId.optional(),
  user: userId.optional(),
  k: countParameter,
});
export const randomQuery = z.strictObject({ type: name });

const failure = z.object({ error: z.string(), field: z.string().optional() });
const unavailable = z.object({
  error: z.string(),
  ready: z.literal(false).optional().meta({ description: 'The vectors of the graph are not read yet.' }),
});

/** What is served: part of the answer at an unknown path. */
export const SERVING_PATHS = {
  '/': 'a page that shows all of it for one entity',
  '/v1/candidates':
    'a list for ?from=TYPE:ID, of entities of the type ?to= or of a ?surface=; the same as POST',
  '/v1/similar': 'the nearest entities of the type of ?entity=TYPE:ID; the same as POST',
  '/v1/search': 'entities of a ?type= for the query ?q=TEXT',
  '/v1/rank': 'POST: the scores of given candidates by a relation from an entity',
  '/v1/recent': 'what ?entity=TYPE:ID did lately',
  '/v1/random': 'some entity of a ?type= with a vector',
  '/v1/status': 'which graphs are served, what can be asked of them, and how far their vectors are',
  '/openapi.json': 'all of it as OpenAPI 3.1',
  '/healthz': 'the process lives',
  '/readyz': 'whether some graph can be asked and none is still read, and why not',
  '/metrics': 'Prometheus text',
} as const;

/** The JSON schema of what a client sends. A count in a query is told as the number that its text stands for. */
function jsonSchema(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: made }) => {
      if (zodSchema !== countParameter) return;
      delete made.pattern;
      Object.assign(made, COUNT_PARAMETER);
    },
  });
}

/** The paths and schemas above as OpenAPI 3.1. */
export function openApi(version: string): object {
  const schemas = {
    CandidatesBody: candidatesBody,
    SimilarBody: similarBody,
    SearchQuery: searchQuery,
    RankBody: rankBody,
    ...answers,
    Failure: failure,
    Unavailable: unavailable,
  };
  const components = Object.fromEntries(
    Object.entries(schemas).map(([key, schema]) => [key, jsonSchema(schema)]),
  );
  const json = (schema: keyof typeof schemas) => ({
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  });
  const retryAfter = {
    'Retry-After': { description: 'Seconds after which to ask again.', schema: { type: 'integer' } },
  };
  const said = (description: string, schema: keyof typeof schemas = 'Failure', headers?: object) => ({
    description,
    ...(headers && { headers }),
    ...json(schema),
  });
  const allow = { Allow: { description: 'These methods.', schema: { type: 'string' } } };
  // Whatever is asked.
  const refusals = {
    405: said('the path takes other methods', 'Failure', allow),
    421: said('a server on a loopback address was asked by another name'),
    429: said('too many requests of one client in a minute', 'Failure', retryAfter),
  };
  const ofBodies = {
    413: said(`a body of more than ${BODY_BYTES} bytes`),
    415: said('a body that is not said to be JSON'),
  };
  const responses = (schema: keyof typeof schemas) => ({
    200: said('the answer', schema),
    400: said('a field is wrong; `field` names it'),
    ...refusals,
    503: said('the vectors are not read yet, or too many requests wait', 'Unavailable', retryAfter),
  });
  const query = (schema: z.ZodObject) => {
    const { properties = {}, required = [] } = jsonSchema(schema);
    return Object.entries(properties).map(([key, of]) => ({
      name: key,
      in: 'query',
      required: required.includes(key),
      schema: of,
    }));
  };
  /** An operation that takes a query or a body; where something has no vector, `mayLack`, it answers 404. */
  const operation = (
    operationId: string,
    path: keyof typeof SERVING_PATHS,
    answer: keyof typeof schemas,
    takes: z.ZodObject | keyof typeof schemas,
    mayLack = false,
  ) => ({
    operationId,
    summary: SERVING_PATHS[path],
    ...(typeof takes === 'string'
      ? { requestBody: { required: true, ...json(takes) } }
      : { parameters: query(takes) }),
    responses: {
      ...responses(answer),
      ...(typeof takes === 'string' && ofBodies),
      ...(mayLack && { 404: said('no vector of that name') }),
    },
  });
  const paths = {
    '/v1/candidates': {
      get: operation('getCandidates', '/v1/candidates', 'CandidatesAnswer', candidatesQuery),
      post: operation('postCandidates', '/v1/candidates', 'CandidatesAnswer', 'CandidatesBody'),
    },
    '/v1/similar': {
      get: operation('getSimilar', '/v1/similar', 'SimilarAnswer', similarQuery, true),
      post: operation('postSimilar', '/v1/similar', 'SimilarAnswer', 'SimilarBody', true),
    },
    '/v1/search': { get: operation('search', '/v1/search', 'SearchAnswer', searchQuery) },
    '/v1/rank': { post: operation('rank', '/v1/rank', 'RankAnswer', 'RankBody', true) },
    '/v1/recent': { get: operation('getRecent', '/v1/recent', 'RecentAnswer', recentQuery) },
    '/v1/random': { get: operation('getRandom', '/v1/random', 'RandomAnswer', randomQuery, true) },
    '/v1/status': {
      get: {
        operationId: 'getStatus',
        summary: SERVING_PATHS['/v1/status'],
        responses: { 200: said('the answer', 'StatusAnswer'), ...refusals },
      },
    },
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'twhin serve',
      version,
      description: 'Candidates, neighbours and ranks from live vectors.',
    },
    paths,
    components: { schemas: components },
  };
}
