import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { selectRun } from '../../src/cli/run/shards.ts';
import { configOf } from '../../src/config/load.ts';
import { shards } from '../../tools/k8s/shards.ts';
import { kafkaTopics, kafkaUsers } from '../../tools/k8s/strimzi.ts';
import { parseDocuments, ROOT, render, SKIPPED } from './rendered.ts';
import { graphOf, matches, ofRole, selectorSchema, type Workload, workloads } from './workload.ts';

const CUT = { topicPrefix: 'twhin.', graphs: { engagement: { shards: 3 } } };
const config = configOf(CUT, {}, '/srv');
const INDICES = [0, 1, 2];

const scratch = mkdtempSync(join(tmpdir(), 'k8s-shards-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** An overlay with the component of these graphs over it. */
function overlay(base: string): string {
  const write = (name: string, text: string) => {
    mkdirSync(join(scratch, name), { recursive: true });
    writeFileSync(join(scratch, name, 'kustomization.yaml'), text);
    return join(scratch, name);
  };
  write('component', stringify(shards(config)));
  const resources = [relative(join(scratch, base), join(ROOT, 'k8s', 'overlays', base))];
  const folder = write(base, stringify({ resources, components: ['../component'] }));
  return relative(ROOT, folder);
}

describe.skipIf(SKIPPED).each(['dev', 'prod'])('a graph with shards in %s', (base) => {
  const before = SKIPPED ? [] : workloads(render(`k8s/overlays/${base}`));
  const resources = SKIPPED ? [] : render(overlay(base));
  const all = workloads(resources);
  const of = (graph: string) => all.filter((each) => graphOf(each) === graph);

  test('is one StatefulSet with a pod and a volume for each shard, and otherwise as it was', () => {
    const [set, ...more] = of('engagement');
    const [whole] = ofRole(before, 'leader').filter((each) => graphOf(each) === 'engagement');
    expect(more).toEqual([]);
    expect(set?.statefulSet?.replicas).toBe(3);
    expect(set?.statefulSet?.volumeClaimTemplates).toEqual(whole?.statefulSet?.volumeClaimTemplates);
    const env = set?.pod.containers[0]?.env ?? [];
    const own = env.find(({ name }) => name === 'TWHIN_SHARD');
    expect(own?.valueFrom).toEqual({ fieldRef: { fieldPath: 'metadata.name' } });
    const others = env.filter((each) => each !== own);
    const containers = set?.pod.containers.map((each) => ({ ...each, env: others }));
    expect({ ...set?.pod, containers }).toEqual(whole?.pod);
  });

  test('leaves the other graph, and what serves, as they were', () => {
    // The outermost kustomization decides the order, and here it is the test's.
    const rest = (each: readonly Workload[]) =>
      each
        .filter((one) => graphOf(one) !== 'engagement')
        .sort((one, other) => one.name.localeCompare(other.name));
    expect(rest(all)).toEqual(rest(before));
    expect(rest(all).length).toBeGreaterThan(1);
  });

  test('loses one shard at most when nodes are drained', () => {
    const [set] = of('engagement');
    const budgets = resources.filter(({ kind, metadata }) => {
      return kind === 'PodDisruptionBudget' && metadata.name === 'twhin-engagement';
    });
    const [spec] = budgets.map((each) => each['spec']);
    expect(spec).toMatchObject({ maxUnavailable: 1 });
    const selector = typeof spec === 'object' && spec !== null && 'selector' in spec ? spec.selector : {};
    expect(matches(selectorSchema.parse(selector), set?.labels ?? {})).toBe(true);
  });
});

test.each(INDICES)('pod %i of the set runs the shard of its number', (index) => {
  const env = { TWHIN_SHARD: `twhin-engagement-${index}` };
  const run = selectRun(configOf(CUT, env, '/srv'), { graph: ['engagement'] });
  expect(run.map(({ name }) => name)).toEqual([`engagement-${index}`]);
});

test('without such a graph the component changes nothing', () => {
  expect(shards(configOf({}, {}, '/srv'))).toMatchObject({ kind: 'Component', patches: [] });
});

describe('at the brokers', () => {
  const texts = (all: readonly object[]) =>
    all.map((each) => stringify(each, { aliasDuplicateObjects: false }));
  const rightsOf = (name: string) => {
    const [user] = texts(kafkaUsers(config))
      .flatMap(parseDocuments)
      .filter(({ metadata }) => metadata.name === name);
    const text = JSON.stringify(user?.['spec']);
    const acl = /"type":"(\w+)","name":"([^"]+)","patternType":"literal"\},"operations":\[([^\]]+)\]/g;
    return [...text.matchAll(acl)].map(([, type, on, operations = '']) => {
      return `${type} ${on}: ${operations.replaceAll('"', '').split(',').sort().join(' ')}`;
    });
  };

  test('each shard has a group and a transactional id, and all write and read one exchange topic', () => {
    const rights = rightsOf('twhin');
    const ofGraph = rights.filter(
      (each) => /engagement/.test(each) && !/^topic twhin.engagement:/.test(each),
    );
    const both = 'Describe DescribeConfigs Read Write';
    expect(ofGraph.sort()).toEqual(
      [
        `topic twhin.embeddings.engagement: ${both}`,
        `topic twhin.model.engagement: ${both}`,
        `topic twhin.exchange.engagement: ${both}`,
        ...INDICES.map((index) => `group twhin.engagement-${index}: Describe Read`),
        ...INDICES.map((index) => `transactionalId twhin.engagement-${index}: Describe Write`),
      ].sort(),
    );
    expect(new Set(rights).size).toBe(rights.length);
    expect(rights).toContain('group twhin.follow: Describe Read');
    expect(rights.filter((each) => each.includes('exchange.follow'))).toEqual([]);
  });

  test('who serves reads the vectors of the whole graph, and no exchange', () => {
    const ofGraph = rightsOf('twhin-serve').filter((each) => /\.engagement|exchange/.test(each));
    expect(ofGraph.map((each) => each.split(':')[0]).sort()).toEqual([
      'topic twhin.embeddings.engagement',
      'topic twhin.engagement',
      'topic twhin.model.engagement',
    ]);
  });

  test('the exchange topic is made with a partition for each shard', () => {
    const topics = texts(kafkaTopics(config)).flatMap(parseDocuments);
    const [exchange] = topics.filter(({ metadata }) => metadata.name === 'twhin.exchange.engagement');
    expect(exchange?.['spec']).toMatchObject({ topicName: 'twhin.exchange.engagement', partitions: 3 });
  });
});
