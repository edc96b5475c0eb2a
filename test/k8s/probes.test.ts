import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { HttpServer } from '../../src/adapters/http/guarded.ts';
import { serveHttp } from '../../src/adapters/http/server.ts';
import { readHttpAddress } from '../../src/config/environment.ts';
import { openLists } from '../adapters/http/lists.ts';
import { graphOf } from '../serve/serve-fixture.ts';
import { SKIPPED } from './rendered.ts';
import { type Container, containersOf, OVERLAYS, ofRole } from './workload.ts';

const pathsSchema = z.object({ paths: z.record(z.string(), z.string()) });

/** The servers of the pods by their commands, not ready: loading, standing by, or reading. */
let servers: Record<string, HttpServer>;
const serverOf = (container: Container): HttpServer => {
  const server = servers[container.args[0] ?? ''];
  if (server === undefined) throw new Error(`${container.name} runs no server`);
  return server;
};
const unasked = (): never => {
  throw new Error('no probe asks for it');
};

beforeAll(async () => {
  const run = await serveHttp({
    ...{ host: '127.0.0.1', port: 0, page: new Map(), status: unasked, failed: () => undefined },
    metrics: { contentType: 'text/plain', render: async () => '' },
    readiness: async () => ({ ready: false, graphs: [] }),
    views: { history: unasked, rejected: unasked, entity: unasked, map: unasked },
  });
  servers = { run, serve: await openLists(graphOf(), { isReady: () => false }) };
});
afterAll(() => Promise.all(Object.values(servers).map((server) => server.stop())));

describe.skipIf(SKIPPED).each(OVERLAYS)('probes of $overlay', ({ overlay, all }) => {
  const roles = ['leader', 'standby', 'serve'];
  const running = roles
    .flatMap((role) => ofRole(all, role))
    .map((workload) => {
      const [container] = workload.pod.containers;
      if (container === undefined) throw new Error(`${workload.name} has no container`);
      return { workload, container, name: workload.name };
    });

  test.each(running)('$name is asked at paths that it has, where it listens', async ({ container }) => {
    const answer = await fetch(`${serverOf(container).url}/no-such-path`);
    const paths = Object.keys(pathsSchema.parse(await answer.json()).paths);
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    const asked = probes.map((probe) => probe?.httpGet);
    for (const get of asked) {
      expect(paths).toContain(get?.path);
      expect(get?.port).toBe('http');
    }
    const given = container.args.find((arg) => arg.startsWith('--http='))?.slice('--http='.length);
    const listens = given ?? container.env.find(({ name }) => name === 'TWHIN_HTTP')?.value ?? '';
    const port = container.ports.find(({ name }) => name === 'http')?.containerPort;
    const problems: string[] = [];
    expect(readHttpAddress('its address', listens, problems)).toEqual({ host: '0.0.0.0', port });
    expect(problems).toEqual([]);
  });

  test.each(running)('$name is not ended before it is ready, and a standby counts as ready', async (run) => {
    const { startupProbe, livenessProbe, readinessProbe } = run.container;
    const standsBy = run.workload.labels['twhin-stream/role'] === 'standby';
    const wanted = [200, 200, standsBy ? 200 : 503];
    for (const [i, probe] of [startupProbe, livenessProbe, readinessProbe].entries()) {
      const { status } = await fetch(`${serverOf(run.container).url}${probe?.httpGet?.path}`);
      expect(status).toBe(wanted[i]);
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

  test.each(ofRole(all, 'serve'))('$name answers while endpoints are told that it ends', ({ pod }) => {
    const waits = pod.containers.map(({ lifecycle }) => lifecycle?.preStop.exec.command);
    expect(waits).toEqual([['sleep', '5']]);
    // A pod that serves reads for minutes; none is taken away before its successor is ready.
    const { strategy, progressDeadlineSeconds } = ofRole(all, 'serve')[0]?.deployment ?? {};
    expect(strategy).toMatchObject({ rollingUpdate: { maxUnavailable: 0 } });
    expect(progressDeadlineSeconds).toBeGreaterThanOrEqual(3_600);
  });

  test('no other workload has probes, except the broker', () => {
    const others = all.filter((each) => !running.some(({ workload }) => workload === each));
    const probed = others.filter((each) => containersOf(each).some(({ livenessProbe }) => livenessProbe));
    expect(probed.map(({ name }) => name)).toEqual(overlay === 'dev' ? ['kafka'] : []);
  });
});
