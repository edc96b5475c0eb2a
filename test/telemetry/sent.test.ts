import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Twhin, until } from '../e2e/twhin.ts';

const attributes = z.array(
  z.object({
    key: z.string(),
    value: z.object({ stringValue: z.string(), intValue: z.coerce.number() }).partial(),
  }),
);
const traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              attributes,
              startTimeUnixNano: z.coerce.number(),
              endTimeUnixNano: z.coerce.number(),
            }),
          ),
        }),
      ),
    }),
  ),
});
const point = z.object({ asDouble: z.number(), count: z.coerce.number(), attributes }).partial();
const data = z.object({ dataPoints: z.array(point) });
const metrics = z.object({
  resourceMetrics: z.array(
    z.object({
      scopeMetrics: z.array(
        z.object({
          metrics: z.array(
            z.object({
              name: z.string(),
              gauge: data.optional(),
              sum: data.optional(),
              histogram: data.optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

let server: Server;
/** Status of the collector's answers; undefined: no answer. */
let answer: number | undefined;
let bodies: { path: string; body: unknown }[];
let endpoint: string;
let folder: string;
let twhin: Twhin;
beforeEach(async () => {
  answer = 200;
  bodies = [];
  server = createServer(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString('utf8');
    bodies.push({ path: request.url ?? '', body: JSON.parse(text) });
    if (answer === undefined) return;
    response.statusCode = answer;
    response.setHeader('content-type', 'application/json').end('{}');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  endpoint = typeof address === 'object' ? `http://127.0.0.1:${address?.port}` : '';
  folder = await mkdtemp(join(tmpdir(), 'twhin-telemetry-'));
  twhin = await Twhin.create(`file:${folder}`);
  await twhin.ok(['topics', 'apply']);
  await twhin.feed(
    'follow',
    Array.from({ length: 300 }, (_, i) => ({
      followerId: `u${i % 40}`,
      followedId: `v${i % 90}`,
      action: 'follow',
      at: Date.now() + i,
    })),
  );
});
afterEach(async () => {
  await twhin.remove();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const RUN = ['run', '--graph', 'follow'];
const env = () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' });

/** All bodies sent to a path, parsed by a schema. */
function sent<T>(path: string, schema: z.ZodType<T>): T[] {
  return bodies.filter((each) => each.path === path).map(({ body }) => schema.parse(body));
}

describe('OpenTelemetry', () => {
  test('receives a trace of each commit from fetch to acknowledgement, and every metric of the process', async () => {
    const { code, stderr } = await twhin.end([...RUN, '--until-caught-up'], { env: env() });
    expect([code, stderr]).toEqual([0, expect.stringContaining('sending to OpenTelemetry')]);
    const all = sent('/v1/traces', traces).flatMap(({ resourceSpans }) => resourceSpans);
    expect(JSON.stringify(all[0]?.resource)).toContain('"stringValue":"twhin-stream"');
    const spans = all.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    const number = (span: (typeof spans)[number], key: string) =>
      span.attributes.find((each) => each.key === key)?.value.intValue ?? 0;
    const roots = spans.filter(({ name }) => name === 'twhin.commit');
    expect(roots.reduce((sum, root) => sum + number(root, 'twhin.records'), 0)).toBe(300);
    const [first] = roots;
    const children = spans.filter(({ parentSpanId }) => parentSpanId === first?.spanId);
    expect(new Set(children.map(({ traceId }) => traceId))).toEqual(new Set([first?.traceId]));
    const names = ['twhin.batch', 'twhin.step', 'twhin.write', 'twhin.publish'];
    expect([...new Set(children.map(({ name }) => name))]).toEqual(names);
    for (const child of children) {
      expect(child.startTimeUnixNano).toBeGreaterThanOrEqual(first?.startTimeUnixNano ?? Infinity);
      expect(child.endTimeUnixNano).toBeLessThanOrEqual(first?.endTimeUnixNano ?? 0);
    }
    const moved = spans
      .filter(({ name }) => name === 'twhin.publish')
      .map((span) => number(span, 'twhin.vectors'));
    // 40 and 90 entities, each published at least once.
    expect(moved.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(130);

    const last = sent('/v1/metrics', metrics).at(-1)?.resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
    const value = (name: string) => last.find((each) => each.name === name);
    expect(value('twhin_events_consumed_total')?.sum?.dataPoints[0]?.asDouble).toBe(300);
    expect(value('twhin_entities')?.gauge?.dataPoints.map(({ asDouble }) => asDouble)).toContain(130);
    expect(value('twhin_commit_duration_seconds')?.histogram?.dataPoints[0]?.count).toBeGreaterThan(0);
    expect(value('twhin_event_loop_delay_seconds')?.histogram?.dataPoints[0]?.count).toBeGreaterThan(0);
  });

  test('is not loaded unless a variable asks for it', async () => {
    const hook = `import { registerHooks } from 'node:module';
      registerHooks({ resolve: (name, context, next) => {
        if (name === '@opentelemetry/sdk-node') process.stderr.write('loads OpenTelemetry\\n');
        return next(name, context);
      } });`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
    const said = async (more: Record<string, string>) =>
      (await twhin.end([...RUN, '--until-caught-up'], { env: { NODE_OPTIONS, ...more } })).stderr;
    expect(await said({ OTEL_SERVICE_NAME: 'alone' })).not.toContain('loads OpenTelemetry');
    expect(await said(env())).toContain('loads OpenTelemetry');
  });

  test('that refuses everything is reported once, and delays nothing', async () => {
    answer = 400;
    const often = {
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      OTEL_METRIC_EXPORT_TIMEOUT: '1000',
    };
    const running = twhin.start(RUN, { env: { ...env(), ...often } });
    await running.says(/OpenTelemetry has trouble/);
    await until('it was refused again', () => bodies.length > 3);
    running.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    expect([code, stderr.match(/OpenTelemetry has trouble/g)?.length]).toEqual([0, 1]);
    expect(stderr).toContain('Bad Request');
  });

  test('that never answers does not delay the end', async () => {
    answer = undefined;
    const { code, stderr } = await twhin.end([...RUN, '--until-caught-up'], { env: env() });
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('the last traces and metrics could not be sent'),
    ]);
    expect(stderr).toContain('"published":130');
  });
});
