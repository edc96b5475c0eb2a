import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance } from 'fastify';
import { BadEvent, FatalError, reasonOf, UsageError } from '../../errors/errors.ts';
import type { Answers } from './answers.ts';
import { hostOf, isLoopback } from './host.ts';
import { addRoutes, ROUTES } from './routes.ts';
import { StatusStream } from './stream.ts';

const BODY_BYTES = 1024;
const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
/** What is in flight when it stops gets this long; a connection that has not asked anything would hold it up. */
const DRAIN_MS = 2_000;
/** Of one client, a minute: probes, a scraper and a few open pages. */
const REQUESTS = 1_200;

export interface HttpOptions extends Answers {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Told of what could not be answered. */
  failed(path: string, reason: string): void;
}

export interface HttpServer {
  /** `http://host:port`, as it can be opened. */
  readonly url: string;
  /** Answers what is in flight, then closes. Idempotent. */
  stop(): Promise<void>;
}

/** Serves the dashboard, health, readiness, metrics and status; read-only. @throws FatalError `http` when the address can't be had. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const server = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
  });
  await server.register(rateLimit, { max: REQUESTS, timeWindow: '1 minute' });
  guard(server, options);
  const stream = new StatusStream(options.status, (reason) =>
    options.failed('/api/stream', reasonOf(reason)),
  );
  addRoutes(server, options, stream);
  const { host, port } = options;
  try {
    const url = await server.listen({ host, port });
    let closing: Promise<void> | undefined;
    return {
      url,
      stop: () => {
        closing ??= close(server, stream);
        return closing;
      },
    };
  } catch (error) {
    await server.close();
    throw new FatalError(
      'http-listen',
      `can't listen on ${host}:${port}: ${reasonOf(error)}; choose another address with --http HOST:PORT or TWHIN_HTTP, or --http off`,
      { cause: error },
    );
  }
}

async function close(server: FastifyInstance, stream: StatusStream): Promise<void> {
  stream.stop();
  const timer = setTimeout(() => server.server.closeAllConnections(), DRAIN_MS);
  await server.close();
  clearTimeout(timer);
}

/** What holds for every request: who may ask, how answers are marked, and what is said when there is none. */
function guard(server: FastifyInstance, { host, failed }: HttpOptions): void {
  const local = isLoopback(host);
  server.addHook('onRequest', async (request, reply) => {
    // A page elsewhere whose name is made to point here would otherwise read all of this through a browser.
    if (local && !isLoopback(hostOf(request.headers.host ?? ''))) {
      const seen = JSON.stringify(request.headers.host ?? '');
      return reply.code(421).send({ error: `this server answers to localhost only, not to ${seen}` });
    }
  });
  server.addHook('onSend', async (_, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  });
  server.setNotFoundHandler(async (request, reply) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return reply.code(405).header('allow', 'GET, HEAD').send({ error: 'nothing here can be changed' });
    }
    return reply.code(404).send({ error: 'there is nothing at this path', paths: ROUTES });
  });
  server.setErrorHandler(async (error, request, reply) => {
    const code = statusOf(error);
    if (code === 500) failed(request.url.slice(0, 200), reasonOf(error));
    // What its schema took and the look-up refuses is the name of an entity.
    const field = error instanceof UsageError && error.code === 'entity' ? { field: 'id' } : {};
    const reason = code === 500 ? 'this could not be answered' : reasonOf(error);
    return reply.code(code).send({ error: reason, ...field });
  });
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof BadEvent) return 400;
  if (error instanceof FatalError && error.code === 'busy') return 503;
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}
