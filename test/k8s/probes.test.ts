import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { HttpServer } from '../../src/adapters/http/guarded.ts';
import { serveHttp } from '../../src/adapters/http/server.ts';
import { readHttpAddress } from '../../src/config/http-address.ts';
import { render, SKIPPED } from './rendered.ts';
import { containersOf, ofRole, workloads } from './workload.ts';

const pathsSchema = z.object({ paths: z.record(z.string(), z.string()) });

/** The server of the pods, not ready: loading, or standing by. */
let server: HttpServer;
let paths: readonly string[];
const unasked = (): never => {
  throw new Error('no probe asks for it');
};

beforeAll(async () => {
  server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    metrics: { contentType: 'text/plain', render: async () => '' },
    readiness: async () => ({ ready: false, graphs: [] }),
    status: unasked,
    page: new Map(),
    views: {
      history: unasked,
      rejected: unasked,
      entity: unasked,
      map: unasked,
      replays: unasked,
    },
    failed: () => undefined,
  });
  const answer = await fetch(`${server.url}/no-such-path`);
  paths = Object.keys(pathsSchema.parse(await answer.json()).paths);
});
afterAll(() => server.stop());

describe.skipIf(SKIPPED).each(['dev', 'prod'])('probes of %s', (overlay) => {
  const all = SKIPPED ? [] : workloads(render(`k8s/overlays/${overlay}`));
  const running = [...ofRole(all, 'leader'), ...ofRole(all, 'standby')].map((workload) => {
    const [container] = workload.pod.containers;
    if (container === undefined) throw new Error(`${workload.name} has no container`);
    return { workload, container, name: workload.name };
  });

  test.each(running)('$name is asked at paths that the server has, where it listens', ({ container }) => {
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    const asked = probes.map((probe) => probe?.httpGet);
    for (const get of asked) {
      expect(paths).toContain(get?.path);
      expect(get?.port).toBe('http');
    }
    const listens = container.env.find(({ name }) => name === 'TWHIN_HTTP')?.value ?? '';
    const port = container.ports.find(({ name }) => name === 'http')?.containerPort;
    const problems: string[] = [];
    expect(readHttpAddress('TWHIN_HTTP', listens, problems)).toEqual({ host: '0.0.0.0', port });
    expect(problems).toEqual([]);
  });

  test.each(running)('$name is not ended for loading or standing by', async ({ container }) => {
    for (const probe of [container.startupProbe, container.livenessProbe]) {
      const { status } = await fetch(`${server.url}${probe?.httpGet?.path}`);
      expect(status).toBe(200);
    }
  });

  test.each(running)('$name is given time to answer and to start', ({ container }) => {
    const { startupProbe: start, livenessProbe: life } = container;
    // A main thread that is blocked for seconds is slow, not dead, and a restart costs readers ten seconds more.
    expect(life?.timeoutSeconds).toBeGreaterThanOrEqual(5);
    expect((life?.periodSeconds ?? 0) * (life?.failureThreshold ?? 0)).toBeGreaterThanOrEqual(30);
    expect((start?.periodSeconds ?? 0) * (start?.failureThreshold ?? 0)).toBeGreaterThanOrEqual(60);
    // /readyz waits up to a second for the brokers.
    expect(container.readinessProbe?.timeoutSeconds).toBeGreaterThan(1);
  });

  test('the readiness probe fails for an unready leader and succeeds for a standby, which is never ready', async () => {
    for (const { workload, container } of running) {
      const { status } = await fetch(`${server.url}${container.readinessProbe?.httpGet?.path}`);
      const role = workload.labels['twhin-stream/role'];
      expect([workload.name, status]).toEqual([workload.name, role === 'standby' ? 200 : 503]);
    }
  });

  test('no other workload has probes, except the broker', () => {
    const others = all.filter((each) => !running.some(({ workload }) => workload === each));
    const probed = others.filter((each) => containersOf(each).some(({ livenessProbe }) => livenessProbe));
    expect(probed.map(({ name }) => name)).toEqual(overlay === 'dev' ? ['kafka'] : []);
  });
});
