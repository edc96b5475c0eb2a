import { isIPv4 } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance } from 'fastify';
import { BadEvent, FatalError, reasonOf, UsageError } from '../../errors/errors.ts';
import { type Answers, addRoutes, ROUTES } from './routes.ts';
import { StatusStream } from './stream.ts';

const BODY_BYTES = 1024;
const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
/** Time that requests in flight get at a stop; a connection without a request would delay the stop for ever. */
const DRAIN_MS = 2_000;
/** Requests of one client in a minute: enough for probes, a scraper and a few open pages. */
const REQUESTS = 1_200;

export interface HttpOptions extends Answers {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Takes each failure to answer. */
  failed(path: string, reason: string): void;
}

export interface HttpServer {
  /** `http://host:port`. */
  readonly url: string;
  /** Answers the requests in flight, then closes. Idempotent. */
  stop(): Promise<void>;
}

/** Serves the dashboard, health, readiness, metrics and status, read-only. @throws FatalError `http` when the address can't be used. */
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

/** The rules for every request: who may ask, the headers of answers, and the answers to wrong requests. */
function guard(server: FastifyInstance, { host, failed }: HttpOptions): void {
  const local = isLoopback(host);
  server.addHook('onRequest', async (request, reply) => {
    // Without this check, a foreign page whose name resolves to this machine could read everything through a browser.
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
      return reply.code(405).header('allow', 'GET, HEAD').send({ error: 'this server is read-only' });
    }
    return reply.code(404).send({ error: 'there is nothing at this path', paths: ROUTES });
  });
  server.setErrorHandler(async (error, request, reply) => {
    const code = statusOf(error);
    if (code === 500) failed(request.url.slice(0, 200), reasonOf(error));
    // A query that passes the schema and fails in the lookup has a wrong entity id.
    const field = error instanceof UsageError && error.code === 'entity' ? { field: 'id' } : {};
    const reason = code === 500 ? 'the request could not be answered' : reasonOf(error);
    return reply.code(code).send({ error: reason, ...field });
  });
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof BadEvent) return 400;
  if (error instanceof FatalError && error.code === 'busy') return 503;
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return 500;
  return typeof error.statusCode === 'number' ? error.statusCode : 500;
}

/** Whether a host always means this machine. host: a name, or an address without brackets. */
function isLoopback(host: string): boolean {
  return host === '::1' || host.toLowerCase() === 'localhost' || (isIPv4(host) && host.startsWith('127.'));
}

/** The host in a `Host` header, without port and brackets; empty if the header has none. */
function hostOf(header: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header) ?? [];
  return bracketed ?? plain ?? '';
}
