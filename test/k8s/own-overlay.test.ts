import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { blocks } from '../docs/blocks.ts';
import { ofKind, ROOT, render, SKIPPED } from './rendered.ts';
import { containersOf, graphOf, workloads } from './workload.ts';

/** Made only where tests run: where all are skipped, nothing removes the folder. */
const scratch = SKIPPED ? '' : mkdtempSync(join(tmpdir(), 'k8s-own-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A kustomization of docs/deploy.md, written to `scratch`. indent: before each of its lines. */
function fromTheDocs(name: string, indent = ''): string {
  const [block] = blocks('docs/deploy.md', 'yaml', indent);
  if (block === undefined) throw new Error('docs/deploy.md shows no kustomization');
  const folder = join(scratch, name);
  mkdirSync(folder);
  const text = block.replaceAll('../twhin-stream', relative(folder, ROOT));
  writeFileSync(join(folder, 'kustomization.yaml'), text);
  return relative(ROOT, folder);
}

describe.skipIf(SKIPPED)('the kustomization of docs/deploy.md', () => {
  const resources = SKIPPED ? [] : render(fromTheDocs('own', '   '));
  const all = workloads(resources);

  test('runs its image everywhere', () => {
    const images = new Set(all.flatMap(containersOf).map(({ image }) => image));
    expect([...images]).toEqual(['images.example.com/twhin-stream:0.1.0']);
  });

  test('reaches its brokers', () => {
    const [map] = resources.filter(({ metadata }) => metadata.name.startsWith('twhin-kafka-'));
    expect(map?.['data']).toEqual({
      KAFKA_BROKERS: 'broker-1.example.com:9093,broker-2.example.com:9093',
    });
    const policy = resources.find(({ metadata }) => metadata.name === 'twhin-to-brokers');
    expect(JSON.stringify(policy?.['spec'])).toContain('"ipBlock":{"cidr":"192.0.2.0/24"}');
    for (const workload of all) {
      const refs = containersOf(workload).flatMap(({ envFrom }) =>
        envFrom.map((from) => from.configMapRef.name),
      );
      for (const name of refs) expect(name).toBe(map?.metadata.name);
    }
  });

  test('gives more resources to the larger graph and its standby, and lists standbys first', () => {
    const sets = all.filter(({ statefulSet }) => statefulSet !== undefined);
    const memory = sets.map((set) => [set.name, set.pod.containers[0]?.resources.limits.memory]);
    expect(memory).toEqual(sets.map((set) => [set.name, graphOf(set) === 'engagement' ? '8Gi' : '4Gi']));
    expect(sets.map(({ labels }) => labels['twhin-stream/role'])).toEqual([
      'standby',
      'standby',
      'leader',
      'leader',
    ]);
  });
});

const named = z.looseObject({ name: z.string() });
const metric = z.looseObject({ resource: named, pods: z.looseObject({ metric: named }) }).partial();
const autoscalerSchema = z.looseObject({ spec: z.looseObject({ metrics: z.array(metric) }) });
const adapterRule = z.looseObject({
  ...{ seriesQuery: z.string(), name: z.looseObject({ as: z.string() }), metricsQuery: z.string() },
});
const adapterSchema = z.strictObject({ rules: z.array(adapterRule).length(1) });

describe.skipIf(SKIPPED)('the kustomization for serving of docs/deploy.md', () => {
  const resources = SKIPPED ? [] : render(fromTheDocs('serving'));

  test('gives a pod that serves more memory, with the login and everything else as before', () => {
    const [serving] = workloads(resources).filter(({ name }) => name === 'twhin-serve');
    const [container, ...more] = serving?.pod.containers ?? [];
    expect(more).toEqual([]);
    expect(container?.args).toContain('--edges=100000000');
    expect(container?.resources).toEqual({
      requests: { cpu: '1', memory: '5Gi' },
      limits: { cpu: '2', memory: '7Gi' },
    });
    const env = new Map(container?.env.map(({ name, value }) => [name, value]));
    expect(env.get('NODE_OPTIONS')).toContain('--max-old-space-size=1024');
    expect([...env.keys()]).toEqual(expect.arrayContaining(['TWHIN_CONFIG', 'KAFKA_SASL_PASSWORD']));
  });

  test('scales by processor and by requests, which the rule of prometheus-adapter counts', () => {
    const [autoscaler] = ofKind(resources, 'HorizontalPodAutoscaler', autoscalerSchema);
    const metrics = autoscaler?.spec.metrics.map(({ resource, pods }) => resource?.name ?? pods?.metric.name);
    const adapter = readFileSync(join(ROOT, 'monitoring', 'prometheus-adapter.yaml'), 'utf8');
    const [rule] = adapterSchema.parse(parse(adapter)).rules;
    expect(metrics).toEqual(['cpu', rule?.name.as]);
    expect(rule?.seriesQuery).toMatch(/^twhin_serve_request_seconds_count\{/);
    expect(rule?.metricsQuery).toContain('path=~"/v1/.*"');
  });
});
