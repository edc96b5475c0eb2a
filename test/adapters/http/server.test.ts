import { afterEach, describe, expect, test } from 'vitest';
import type { HttpServer } from '../../../src/adapters/http/guarded.ts';
import { type HttpOptions, serveHttp } from '../../../src/adapters/http/server.ts';
import type { ReadinessReport, Status, Views } from '../../../src/adapters/http/status.ts';
import { ask } from './ask.ts';

const READY = { graph: 'follow', ready: true, phase: 'running', reasons: [] };
const STATUS: Status = {
  version: '1',
  now: 5,
  startedAt: 1,
  headline: { level: 'ok', text: 'Healthy' },
  memoryBytes: 9,
  faults: [],
  graphs: [],
  routers: [],
};
const NO_VIEWS: Views = {
  history: () => undefined,
  rejected: () => undefined,
  entity: async () => undefined,
  map: async () => undefined,
};
const servers: HttpServer[] = [];

async function serve(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    metrics: {
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      render: async () => 'twhin_ready 1\n',
    },
    readiness: async () => ({ ready: true, graphs: [READY] }),
    status: async () => STATUS,
    page: new Map([['/', { type: 'text/html; charset=utf-8', body: Buffer.from('<p>page</p>') }]]),
    views: NO_VIEWS,
    failed: () => undefined,
    ...options,
  });
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

describe('the HTTP server', () => {
  test('answers health, metrics and status, and forbids caching', async () => {
    const { url } = await serve();
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    expect(health.headers.get('cache-control')).toBe('no-store');
    expect(health.headers.get('x-content-type-options')).toBe('nosniff');
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('twhin_ready 1\n');
    expect(await (await fetch(`${url}/api/status`)).json()).toEqual(STATUS);
    expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200);
  });

  test('readiness is 200 or 503, and names each graph that is not ready with the reason', async () => {
    const why = { graph: 'follow', ready: false, phase: 'loading', reasons: ['it is loading'] };
    const reports: ReadinessReport[] = [
      { ready: false, graphs: [why] },
      { ready: true, graphs: [READY] },
    ];
    const { url } = await serve({ readiness: async () => reports.shift() ?? { ready: false, graphs: [] } });
    const before = await fetch(`${url}/readyz`);
    expect([before.status, await before.json()]).toEqual([503, { ready: false, graphs: [why] }]);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test('an unknown path is 404 with the list of paths, another method is 405', async () => {
    const { url } = await serve();
    for (const path of ['/nothing', '/../etc/passwd', '/%2e%2e/etc/passwd', '/metrics/', '/healthz/x']) {
      const { status, json } = await ask(url, path);
      expect([path, status]).toEqual([path, 404]);
      expect(json).toHaveProperty(['paths', '/metrics']);
    }
    const posted = await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(10) });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('the page has a policy that forbids foreign and inline content', async () => {
    const { url } = await serve();
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, '<p>page</p>']);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
  });

  test('a wrong query is 400 with the field, an unknown graph or entity is 404', async () => {
    const { url } = await serve({
      views: { ...NO_VIEWS, history: (_, range) => ({ at: [range.length], curves: {} }) },
    });
    const asked = async (path: string) => {
      const response = await fetch(`${url}/api/${path}`);
      return [response.status, await response.json()];
    };
    expect(await asked('history?graph=follow')).toEqual([200, { at: [4], curves: {} }]);
    for (const [path, named] of [
      ['history', { field: 'graph' }],
      ['history?graph=a&range=year', { field: 'range' }],
      ['history?graph=a&more=1', { error: expect.anything() }],
      [`entity?graph=a&id=${'x'.repeat(700)}`, { field: 'id' }],
      ['entity?graph=a&id=xxx', { error: expect.stringMatching(/not an entity: "xxx"/), field: 'id' }],
    ] as const)
      expect(await asked(path)).toEqual([400, expect.objectContaining(named)]);
    const unknown = { error: 'there is no such graph or entity' };
    expect(await asked('entity?graph=a&id=user:1')).toEqual([404, unknown]);
  });

  test('streams the status every second to each page, until the server stops', async () => {
    let at = 0;
    const server = await serve({ status: async () => ({ ...STATUS, now: ++at }) });
    const streams = await Promise.all([fetch(`${server.url}/api/stream`), fetch(`${server.url}/api/stream`)]);
    for (const stream of streams) {
      expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      while (!/"now":2/.test(text)) text += (await reader?.read())?.value ?? '';
      expect(text).toMatch(/^retry: 1000\n\nevent: status\ndata: \{"version":"1",/);
    }
    await server.stop();
  });

  test('ends a stream that is asked for while the server stops', async () => {
    const server = await serve();
    await (await fetch(`${server.url}/healthz`)).text();
    const stopped = server.stop();
    const stream = await fetch(`${server.url}/api/stream`);
    expect(await stream.text()).toBe('retry: 1000\n\n');
    await stopped;
  });

  test('a status that arrives after the end of the streams is dropped without an error', async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Status>();
    const told: string[] = [];
    const server = await serve({
      status: () => {
        asked.resolve();
        return answer.promise;
      },
      failed: (path, reason) => told.push(`${path}: ${reason}`),
    });
    const stream = await fetch(`${server.url}/api/stream`);
    await asked.promise;
    const stopped = server.stop();
    answer.resolve(STATUS);
    await stopped;
    expect(await stream.text()).toBe('retry: 1000\n\n');
    expect(told).toEqual([]);
  });

  test('on a loopback address the server answers only to Host names of this machine', async () => {
    const { url } = await serve();
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1', '127.1.2.3:9', '[::1]:8077']) {
      expect([host, (await ask(url, '/healthz', { headers: { host } })).status]).toEqual([host, 200]);
    }
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil', '[::2]', '10.0.0.1']) {
      const { status, text } = await ask(url, '/metrics', { headers: { host } });
      expect([host, status]).toEqual([host, 421]);
      expect(text).toContain('localhost only');
    }
  });

  test('on another address the server answers to any Host name', async () => {
    const { url } = await serve({ host: '0.0.0.0' });
    expect((await ask(url, '/healthz', { headers: { host: 'updater.example' } })).status).toBe(200);
  });

  test('a client with too many requests gets 429 and a time to wait', async () => {
    const { url } = await serve();
    let refused: Response | undefined;
    for (let i = 0; i < 1_300 && refused === undefined; i++) {
      const response = await fetch(`${url}/healthz`);
      await response.text();
      if (response.status === 429) refused = response;
    }
    expect(refused?.status).toBe(429);
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('an address in use or of another machine is an error that says what to do', async () => {
    const { url } = await serve();
    const port = Number(new URL(url).port);
    await expect(serve({ port })).rejects.toMatchObject({
      code: 'http-listen',
      message: expect.stringMatching(
        `can't listen on 127.0.0.1:${port}: .*EADDRINUSE.*; choose another address with --http HOST:PORT`,
      ),
    });
    await expect(serve({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'http-listen' });
  });
});
