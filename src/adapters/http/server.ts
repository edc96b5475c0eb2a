import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import { reasonOf } from '../../errors/errors.ts';
import { keyOf } from '../../serve/entities.ts';
import { type HttpServer, type ServerOptions, serveGuarded, understood } from './guarded.ts';
import {
  ofEntity,
  ofGraph,
  ofHistory,
  ofRejected,
  type ReadinessReport,
  type Status,
  type Views,
} from './status.ts';
import { StatusStream } from './stream.ts';

const LIMITS = {
  bodyBytes: 1024,
  /** Enough for probes, a scraper and a few open pages. */
  requests: 1_200,
  elsewhere: '--http HOST:PORT or TWHIN_HTTP, or --http off',
};

export interface HttpOptions extends ServerOptions {
  readiness(): Promise<ReadinessReport>;
  status(): Promise<Status>;
  readonly views: Views;
}

/** Serves the dashboard, health, readiness, metrics and status, read-only. @throws FatalError `http-listen` when the address can't be used. */
export function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const { status, views, readiness, failed } = options;
  const stream = new StatusStream(status, (reason) => failed('/api/stream', reasonOf(reason)));
  const addRoutes = (server: FastifyInstance) => {
    server.get('/api/status', () => status());
    server.get('/api/stream', { exposeHeadRoute: false }, async (_, reply) => {
      if (stream.full) return reply.code(503).send({ error: 'too many pages are open; close some' });
      stream.add(reply);
      return reply;
    });
    view(server, '/api/history', ofHistory, ({ graph, range }) => views.history(graph, range));
    view(server, '/api/rejected', ofRejected, ({ graph, values }) => views.rejected(graph, values === 'yes'));
    view(server, '/api/entity', ofEntity, ({ graph, id }) => views.entity(graph, keyOf('id', id)));
    view(server, '/api/map', ofGraph, ({ graph }) => views.map(graph));
  };
  return serveGuarded({ ...options, ...LIMITS, paths: ROUTES }, readiness, addRoutes, () => stream.stop());
}

/** All paths except the files of the page, with their meaning: part of the answer at an unknown path. */
export const ROUTES = {
  '/': 'the dashboard',
  '/healthz': 'the process lives',
  '/readyz': 'whether each graph is ready, and why not',
  '/metrics': 'Prometheus text',
  '/api/status': 'the state of each graph, JSON',
  '/api/stream': 'the state every second, server-sent events',
  '/api/history': 'curves of ?graph= over the last ?range=hour or day',
  '/api/rejected': 'newest rejected records of ?graph=; with ?values=yes their content',
  '/api/entity': 'one entity, by ?graph= and ?id=TYPE:ID',
  '/api/map': 'a sample of the entities of ?graph= in two dimensions',
} as const;

/** Answers a question asked by query: 400 with the wrong field, 404 when there is no such graph or entity. */
function view<Asked extends z.ZodType>(
  server: FastifyInstance,
  path: keyof typeof ROUTES,
  asked: Asked,
  answer: (query: z.infer<Asked>) => unknown,
): void {
  server.get(path, async (request, reply: FastifyReply) => {
    const found = await answer(understood(asked, request.query));
    return found === undefined ? reply.code(404).send({ error: 'there is no such graph or entity' }) : found;
  });
}
