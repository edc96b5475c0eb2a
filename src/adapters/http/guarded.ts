import { isUtf8 } from 'node:buffer';
import { isIPv4, Server } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { BadEvent, FatalError, reasonOf, TwhinError, UsageError } from '../../errors/errors.ts';
import { wrongQuestion } from '../../serve/served-graph.ts';

const REQUEST_MS = 10_000;
const IDLE_MS = 30_000;
/** At a stop, how long those who connect are let in: the system has accepted them before this process hears of it. */
const ARRIVING_MS = 2_000;
/** How long no request comes before connections are closed: a client may send its next one at the moment of the stop. */
const QUIET_MS = 100;
const LOOK_MS = 10;
/** Time that connections get at a stop, but for those with a request in flight; one without a request would delay the stop for ever. */
const DRAIN_MS = 2_000;
/** What a client that comes at a busy moment is told to wait. */
const RETRY_AFTER_S = 1;
/** Characters shown of the name of a field. */
const MOST_OF_FIELD = 100;

/** Codes of fastify for a body that is no JSON; a field such as `__proto__` is a SyntaxError instead. */
const UNREADABLE = ['FST_ERR_CTP_INVALID_JSON_BODY', 'FST_ERR_CTP_EMPTY_JSON_BODY'];

/** Codes of errors that pass: the request may come again. */
const UNAVAILABLE: readonly string[] = ['busy', 'not-read'];

export interface ServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  /** The files of the page, by path. */
  readonly page: ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>;
  failed(path: string, reason: string): void;
}

export interface GuardOptions extends Pick<ServerOptions, 'host' | 'port' | 'failed'> {
  readonly bodyBytes: number;
  /** Most requests of one client address in a minute; 0: no limit. */
  readonly requests: number;
  /** All paths with their meaning: the answer at an unknown path. */
  readonly paths: Readonly<Record<string, string>>;
  /** Methods beside GET and HEAD that some path takes. */
  readonly methods?: readonly string[];
  /** How to listen elsewhere, for the error where the address can't be used. */
  readonly elsewhere: string;
}

export interface HttpServer {
  /** `http://host:port`. */
  readonly url: string;
  /** Answers the requests in flight, then closes. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Serves a page, the paths for probes and Prometheus, and the routes that `addRoutes` adds. readiness: the body of /readyz; stopping:
 * ends what would keep connections open. @throws FatalError `http-listen`.
 */
export async function serveGuarded(
  options: GuardOptions & ServerOptions,
  readiness: () => { readonly ready: boolean } | Promise<{ readonly ready: boolean }>,
  addRoutes: (server: FastifyInstance) => void,
  stopping?: () => void,
): Promise<HttpServer> {
  const server = await guardedServer(options);
  const { metrics, page } = options;
  server.get('/healthz', () => ({ status: 'ok' }));
  server.get('/readyz', async (_, reply) => {
    const report = await readiness();
    return reply.code(report.ready ? 200 : 503).send(report);
  });
  server.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  for (const [path, { type, body }] of page) {
    server.get(path, async (_, reply) => {
      return reply
        .headers({ 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' })
        .type(type)
        .send(body);
    });
  }
  addRoutes(server);
  return listen(server, options, stopping);
}

/** A server without routes: its limits, who may ask, and what wrong requests are answered. */
export async function guardedServer(options: GuardOptions): Promise<FastifyInstance> {
  const server = fastify({
    bodyLimit: options.bodyBytes,
    requestTimeout: REQUEST_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: 'idle',
    // A client that is connected already gets an answer.
    return503OnClosing: false,
    exposeHeadRoutes: true,
  });
  refuseBrokenBodies(server);
  if (options.requests > 0)
    await server.register(rateLimit, { max: options.requests, timeWindow: '1 minute' });
  guard(server, options);
  return server;
}

/** Listens, once all routes are there. stopping: ends what would keep connections open. @throws FatalError `http-listen`. */
export async function listen(
  server: FastifyInstance,
  { host, port, elsewhere }: Pick<GuardOptions, 'host' | 'port' | 'elsewhere'>,
  stopping: () => void = () => {},
): Promise<HttpServer> {
  let closing: Promise<void> | undefined;
  const requests = countRequests(server);
  const stop = () => {
    closing ??= close(server, requests, stopping);
    return closing;
  };
  // A client that keeps its connection would hold a stop up, or send its next request to a server that is gone. Sent away while
  // the server still listens, the client would be back at once, among those whom the system takes in and nobody answers.
  server.addHook('onSend', async (_, reply) => {
    if (closing !== undefined && !server.server.listening) reply.header('connection', 'close');
  });
  try {
    const url = await server.listen({ host, port });
    return { url, stop };
  } catch (error) {
    await server.close();
    throw new FatalError(
      'http-listen',
      `can't listen on ${host}:${port}: ${reasonOf(error)}; choose another address with ${elsewhere}`,
      { cause: error },
    );
  }
}

/** How many requests a server has read and not answered yet, and when the last one came, as `performance.now` says. */
interface Requests {
  open: number;
  lastAt: number;
}

function countRequests(server: FastifyInstance): Requests {
  const requests = { open: 0, lastAt: 0 };
  server.addHook('preValidation', async (_, { raw }) => {
    requests.lastAt = performance.now();
    requests.open++;
    raw.once('close', () => requests.open--);
  });
  return requests;
}

/** Takes in who has connected, listens no more, answers what comes on the connections that there are, and closes these. */
async function close(server: FastifyInstance, requests: Requests, stopping: () => void): Promise<void> {
  const began = performance.now();
  const after = () => performance.now() - began;
  stopping();
  await takeIn(server, () => after() < ARRIVING_MS);
  // http.Server.close would also close the connections that are idle at this moment, which is between two requests of a client.
  Server.prototype.close.call(server.server);
  const connections = promisify(server.server.getConnections.bind(server.server));
  const isBusy = () => requests.open > 0 || performance.now() - Math.max(began, requests.lastAt) < QUIET_MS;
  while (after() < REQUEST_MS && isBusy() && (await connections()) > 0) await sleep(LOOK_MS);
  const timer = setInterval(() => {
    if (after() < (requests.open > 0 ? REQUEST_MS : DRAIN_MS)) server.server.closeIdleConnections();
    else server.server.closeAllConnections();
  }, LOOK_MS);
  await server.close();
  clearInterval(timer);
}

/** Waits until nobody new has connected in a turn of the event loop, in each of which one connection is taken in. */
async function takeIn({ server }: FastifyInstance, isTime: () => boolean): Promise<void> {
  let arrived = 0;
  const count = () => void arrived++;
  server.on('connection', count);
  let before: number;
  do {
    before = arrived;
    // The turn that has begun may be past its connections.
    await turn();
    await turn();
  } while (arrived > before && isTime());
  server.off('connection', count);
}

/** Bytes that are no UTF-8 would be read as U+FFFD, and so as an id that nobody meant. */
function refuseBrokenBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (isUtf8(body)) void parse(request, body.toString('utf8'), done);
    else done(Object.assign(new SyntaxError('body: the text is not UTF-8'), { statusCode: 400 }));
  });
}

/** The rules for every request: who may ask, the headers of answers, and the answers to wrong requests. */
function guard(server: FastifyInstance, { host, paths, methods = [], failed }: GuardOptions): void {
  const local = isLoopback(host);
  server.addHook('onRequest', async (request, reply) => {
    // Without this check, a foreign page whose name resolves to this machine could read everything through a browser.
    if (local && !isLoopback(hostOf(request.headers.host ?? ''))) {
      const seen = JSON.stringify(request.headers.host ?? '');
      return reply.code(421).send({ error: `this server answers to localhost only, not to ${seen}` });
    }
  });
  server.addHook('onRequest', async (request, reply) => {
    const field = brokenField(request.raw.url ?? '')?.slice(0, MOST_OF_FIELD);
    if (field === undefined) return;
    return reply.code(400).send({ error: `${field}: the text is not percent-encoded UTF-8`, field });
  });
  server.addHook('onSend', async (_, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    if (reply.statusCode === 503) reply.header('retry-after', String(RETRY_AFTER_S));
  });
  server.setNotFoundHandler(async (request, reply) => {
    const known = ['GET', 'HEAD', ...methods];
    const [url = ''] = request.url.split('?');
    const taken = known.filter((method) => server.hasRoute({ method, url }));
    const allow = (taken.length > 0 ? taken : known).join(', ');
    if (taken.length > 0 || !known.includes(request.method)) {
      const error = methods.length > 0 ? `this path takes ${allow} alone` : 'this server is read-only';
      return reply.code(405).header('allow', allow).send({ error });
    }
    return reply.code(404).send({ error: 'there is nothing at this path', paths });
  });
  server.setErrorHandler(async (error, request, reply) => {
    const code = statusOf(error);
    if (code === 500) failed(request.url.slice(0, 200), reasonOf(error));
    const field = fieldIn(error);
    const reason = code === 500 ? 'the request could not be answered' : reasonOf(error);
    const unread = error instanceof TwhinError && error.code === 'not-read';
    return reply
      .code(code)
      .send({ error: reason, ...(field !== undefined && { field }), ...(unread && { ready: false }) });
  });
}

/** The field that an error of a route names itself; `body` where the body is no JSON. */
function fieldIn(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('field' in error && typeof error.field === 'string') return error.field;
  const ofBody = error instanceof SyntaxError || ('code' in error && UNREADABLE.includes(String(error.code)));
  return ofBody ? 'body' : undefined;
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof BadEvent) return 400;
  if (error instanceof TwhinError && UNAVAILABLE.includes(error.code ?? '')) return 503;
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

/** The page may load files of this server only, and no other page may embed the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The first field of a query that is no percent-encoded UTF-8, such as `%FF`: it would be read as an id that nobody meant. */
export function brokenField(url: string): string | undefined {
  const start = url.indexOf('?');
  if (start < 0 || !url.includes('%', start)) return undefined;
  for (const pair of url.slice(start + 1).split('&')) {
    const [name = ''] = pair.split('=', 1);
    if (!isEncoded(pair)) return isEncoded(name) ? decodeURIComponent(name) : name;
  }
  return undefined;
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    // The only error of decodeURIComponent: the text is malformed.
    return false;
  }
}

/** @throws UsageError for the first field that is not as the schema says. */
export function understood<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // zod's own message has all unknown names, of which a body can be full.
  if (issue?.code === 'unrecognized_keys')
    throw wrongQuestion(String(issue.keys[0]).slice(0, MOST_OF_FIELD), 'there is no such field');
  throw wrongQuestion(issue?.path.join('.') || 'the request', issue?.message ?? 'not understood');
}
