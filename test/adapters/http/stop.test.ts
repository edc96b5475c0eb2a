import { Agent, type IncomingMessage, request, Server } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { guardedServer, type HttpServer, listen } from '../../../src/adapters/http/guarded.ts';
import { FatalError } from '../../../src/errors/errors.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server whose answers wait until they are let go; `/now` is answered at once. */
async function opened() {
  const gone = Promise.withResolvers<void>();
  const seen: string[] = [];
  const options = {
    ...{ host: '127.0.0.1', port: 0, bodyBytes: 1_024, requests: 1e6, paths: {}, elsewhere: '' },
    methods: ['POST'],
    failed: () => undefined,
  };
  const server = await guardedServer(options);
  server.get('/waits', async (asking) => {
    seen.push(asking.url);
    await gone.promise;
    return { ok: true };
  });
  server.get('/now', () => ({ ok: true }));
  server.get('/busy', () => {
    throw new FatalError('busy', 'ask again');
  });
  server.get('/plain', (_, reply) => reply.code(503).send({ error: 'no' }));
  const http: HttpServer = await listen(server, options);
  ends.push(() => http.stop());
  return { http, seen, letGo: () => gone.resolve() };
}

/** What comes for a request; the code of the error where nothing does. */
function ask(
  url: string,
  agent: Agent,
): Promise<{ status: number | undefined; connection: string | undefined } | string> {
  return new Promise((resolve) => {
    const asking = request(url, { agent }, (reply: IncomingMessage) => {
      reply.on('error', ({ message }) => resolve(message));
      reply
        .resume()
        .on('end', () => resolve({ status: reply.statusCode, connection: reply.headers.connection }));
    });
    asking.on('error', (error) => resolve(String(Reflect.get(error, 'code'))));
    asking.end();
  });
}

function agentOf(keepAlive: boolean): Agent {
  const agent = new Agent({ keepAlive });
  ends.push(() => agent.destroy());
  return agent;
}

/** Waits until nobody can connect any more. */
function refused(url: string): Promise<void> {
  return expect.poll(() => ask(`${url}/now`, agentOf(false)), { timeout: 30_000 }).toBe('ECONNREFUSED');
}

const last = { status: 200, connection: 'close' };

describe('a server that stops', () => {
  it('answers hundreds of requests in flight, and closes their connections', async () => {
    const { http, seen, letGo } = await opened();
    const agent = agentOf(true);
    const asked = Array.from({ length: 300 }, () => ask(`${http.url}/waits`, agent));
    await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(300);
    const cutOff = vi.spyOn(Server.prototype, 'closeAllConnections');
    ends.push(() => cutOff.mockRestore());
    const stopped = http.stop();
    expect(http.stop()).toBe(stopped);
    await refused(http.url);
    letGo();
    expect(new Set((await Promise.all(asked)).map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify(last)]),
    );
    await stopped;
    expect(cutOff).not.toHaveBeenCalled();
    expect(await ask(`${http.url}/now`, agent)).toBe('ECONNREFUSED');
  });

  it('answers those who have connected, though it has not heard of them yet', async () => {
    const { http } = await opened();
    const port = Number(new URL(http.url).port);
    // The system takes connections in; this thread is at work until all are there, and stops then.
    const sockets = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'));
    ends.push(() => sockets.forEach((socket) => void socket.destroy()));
    const answers = sockets.map((socket) => {
      socket.write('GET /now HTTP/1.1\r\nhost: localhost\r\n\r\n');
      return text(socket).catch(String);
    });
    await http.stop();
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  it('answers a client that sends its next request at that moment, and tells it to come no more', async () => {
    const { http, seen, letGo } = await opened();
    const agent = agentOf(true);
    const warm = await Promise.all(Array.from({ length: 50 }, () => ask(`${http.url}/now`, agent)));
    expect(warm.map((each) => Reflect.get(Object(each), 'connection'))).toEqual(Array(50).fill('keep-alive'));
    // As long as a request is in flight, the connections stay.
    const waiting = ask(`${http.url}/waits`, agentOf(true));
    await expect.poll(() => seen.length).toBe(1);
    const stopped = http.stop();
    await refused(http.url);
    const next = await Promise.all(Array.from({ length: 50 }, () => ask(`${http.url}/now`, agent)));
    expect(next).toEqual(Array(50).fill(last));
    letGo();
    expect(await waiting).toEqual(last);
    await stopped;
  });

  it('answers who is connected and sends a request late, and waits for nobody who does not', async () => {
    const { http } = await opened();
    const url = new URL(http.url);
    const [idle, half, late, used] = Array.from({ length: 4 }, () => {
      const socket = connect(Number(url.port), url.hostname);
      ends.push(() => socket.destroy());
      return { socket, closed: text(socket).catch(String) };
    });
    half!.socket.write('POST /now HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{');
    const asking = 'GET /now HTTP/1.1\r\nhost: localhost\r\n\r\n';
    used!.socket.write(asking);
    await new Promise((resolve) => void used!.socket.once('data', resolve));
    const stopped = http.stop();
    // Connections that were used are closed by now.
    await used!.closed;
    late!.socket.write(asking);
    expect((await late!.closed).toLowerCase()).toMatch(/^http\/1.1 200 ok\r\n(.*\r\n)*connection: close\r\n/);
    await Promise.all([stopped, idle!.closed, half!.closed]);
  });
});

it('every 503 says when to come again', async () => {
  const { http } = await opened();
  for (const path of ['/busy', '/plain']) {
    const reply = await fetch(http.url + path);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
  }
});
