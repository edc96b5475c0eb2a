import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { ServedStatus } from '../../serve/answers.ts';
import { type Entities, keyOf, oneOf } from '../../serve/entities.ts';
import type { Surfaces } from '../../serve/surfaces.ts';
import { type HttpServer, type ServerOptions, serveGuarded, understood } from './guarded.ts';
import {
  BODY_BYTES,
  candidatesBody,
  candidatesQuery,
  openApi,
  REQUESTS,
  randomQuery,
  rankBody,
  recentQuery,
  SERVING_PATHS,
  searchQuery,
  similarBody,
  similarQuery,
} from './serving-schema.ts';

export interface ServingOptions extends ServerOptions {
  readonly surfaces: Surfaces;
  readonly entities: Entities;
  status(): readonly ServedStatus[];
  /** Whether some graph can be asked, and none is worth waiting for. */
  isReady(): boolean;
  answered(path: string, code: number, ms: number): void;
  readonly version: string;
  /** Actions beside what is served, and the routes that take them. */
  readonly actions?: {
    /** Each with the type of what it is done to. */
    readonly kinds: readonly { readonly name: string; readonly type: string }[];
    add(server: FastifyInstance): void;
  };
  /** Most requests of one client address in a minute, 120,000 unless given; 0: no limit. */
  readonly requests?: number;
}

export const LISTS_GUARD = {
  elsewhere: '--http HOST:PORT',
  bodyBytes: BODY_BYTES,
  methods: ['POST'],
};

/** Serves candidates, neighbours and ranks, read-only. @throws FatalError `http-listen` when the address can't be used. */
export function serveVectors(options: ServingOptions): Promise<HttpServer> {
  const readiness = () => ({
    ready: options.isReady(),
    reasons: options.status().flatMap(({ reasons }) => reasons),
  });
  const addRoutes = (server: FastifyInstance) => {
    addStatus(server, options, readiness);
    addLists(server, options.surfaces);
    addEntities(server, options.entities);
    options.actions?.add(server);
  };
  const guard = { requests: REQUESTS, ...options, ...LISTS_GUARD, paths: SERVING_PATHS };
  return serveGuarded(guard, readiness, addRoutes);
}

function addStatus(server: FastifyInstance, serving: ServingOptions, readiness: () => object): void {
  const { version, actions } = serving;
  const api = openApi(version);
  // Without its parser, a body that is said to be text is refused as any other that is not JSON.
  server.removeContentTypeParser('text/plain');
  server.addHook('onResponse', async (request, reply) => {
    const path = request.routeOptions.url ?? 'unknown';
    serving.answered(path, reply.statusCode, reply.elapsedTime);
  });
  server.get('/openapi.json', () => api);
  server.get('/v1/status', () => {
    return { version, ...readiness(), graphs: serving.status(), actions: actions?.kinds ?? [] };
  });
}

function addEntities(server: FastifyInstance, entities: Entities): void {
  server.get('/v1/recent', async (request) => {
    return entities.recent(understood(recentQuery, request.query));
  });
  server.get('/v1/random', async (request, reply) => {
    const { type } = understood(randomQuery, request.query);
    const entity = entities.random(type);
    const error = `no ${type} has a vector yet`;
    return entity === undefined ? reply.code(404).send({ error, field: 'type' }) : { entity };
  });
}

function addLists(server: FastifyInstance, surfaces: Surfaces): void {
  const candidates = ({ idle, ...asked }: z.infer<typeof candidatesBody>) =>
    surfaces.candidates({ ...asked, idleMs: idle });
  server.get('/v1/candidates', (request) => candidates(understood(candidatesQuery, request.query)));
  server.post('/v1/candidates', (request) => candidates(understood(candidatesBody, request.body)));
  const similar = async (asked: z.infer<typeof similarBody>, reply: FastifyReply): Promise<unknown> => {
    const error = `${keyOf('entity', asked.entity)} has no vector`;
    return (await surfaces.similar(asked)) ?? reply.code(404).send({ error, field: 'entity' });
  };
  server.get('/v1/similar', (request, reply) => similar(understood(similarQuery, request.query), reply));
  server.post('/v1/similar', (request, reply) => similar(understood(similarBody, request.body), reply));
  server.get('/v1/search', async (request) => {
    const { idle, ...asked } = understood(searchQuery, request.query);
    return surfaces.search({ ...asked, idleMs: idle });
  });
  server.post('/v1/rank', async (request, reply) => {
    const asked = understood(rankBody, request.body);
    const { from, user, relation } = asked;
    const error = `${oneOf('from', from, user)} or the relation ${relation} has no trained vector`;
    const field = from === undefined ? 'user' : 'from';
    return surfaces.rank(asked) ?? reply.code(404).send({ error, field });
  });
}
