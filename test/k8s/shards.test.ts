import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { configOf } from '../../src/config/load.ts';
import { kafkaTopics, kafkaUsers } from '../../tools/k8s/strimzi.ts';
import { manifestsOf } from './manifests-of.ts';
import { parseDocuments, render, SKIPPED } from './rendered.ts';
import { on, READS, type Rights, rightsOf } from './strimzi.ts';
import { graphOf, matches, OVERLAYS, ofRole, selectorSchema, type Workload, workloads } from './workload.ts';

const fieldPath = "metadata.labels['apps.kubernetes.io/pod-index']";
const SHARD = { name: 'SHARD', valueFrom: { fieldRef: { fieldPath } } };
/** The shard that the pods of a set run, by their number. */
const shardOfPod = (set: Workload | undefined) => {
  const [container] = set?.pod.containers ?? [];
  expect(container?.env).toContainEqual(SHARD);
  const [graph, ...more] = (container?.args ?? []).filter((arg) => arg.startsWith('--graph='));
  expect(more).toEqual([]);
  return graph?.replace('--graph=', '').replace('$(SHARD)', '<number of the pod>');
};

const CUT = { topicPrefix: 'twhin.', graphs: { engagement: { shards: 3 }, follow: {} } };
const config = configOf(CUT, {}, '/srv');
const INDICES = [0, 1, 2];

const manifests = await manifestsOf(config);

describe.skipIf(SKIPPED).each(OVERLAYS)('a graph with shards in $overlay', ({ overlay, all: before }) => {
  const resources = SKIPPED ? [] : render(manifests(`k8s/overlays/${overlay}`));
  const all = workloads(resources);
  const of = (graph: string) => all.filter((each) => graphOf(each) === graph);
  const was = (role: string) => ofRole(before, role).find((each) => graphOf(each) === 'engagement');

  test('is one StatefulSet with a pod and a volume for each shard, and otherwise as it was', () => {
    const [set, ...more] = ofRole(of('engagement'), 'leader');
    const whole = was('leader');
    expect(more).toEqual([]);
    expect(set?.statefulSet?.replicas).toBe(3);
    expect(set?.statefulSet?.volumeClaimTemplates).toEqual(whole?.statefulSet?.volumeClaimTemplates);
    expect(shardOfPod(set)).toEqual('engagement-<number of the pod>');
    const containers = set?.pod.containers.map((each) => ({
      ...each,
      env: each.env.filter(({ name }) => name !== 'SHARD'),
      args: each.args.map((arg) => arg.replace('-$(SHARD)', '')),
    }));
    expect({ ...set?.pod, containers }).toEqual(whole?.pod);
  });

  test('has a standby of each shard where graphs have standbys, which waits for its own shard on another node', () => {
    const standby = ofRole(of('engagement'), 'standby')[0];
    expect(standby === undefined).toBe(overlay === 'dev');
    if (standby === undefined) return;
    expect(standby.statefulSet?.replicas).toBe(3);
    expect(standby.pod.containers[0]?.args).toContain('--standby');
    expect(shardOfPod(standby)).toEqual('engagement-<number of the pod>');
    const [init] = standby.pod.initContainers;
    expect(init?.env).toEqual([SHARD]);
    const [set] = ofRole(of('engagement'), 'leader');
    const host = `${set?.name}-$(SHARD).${set?.statefulSet?.serviceName}`;
    expect(init?.args).toEqual([`http://${host}:8077/readyz`, '600']);
    const [term] = standby.pod.affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    expect(term?.matchLabelKeys).toEqual(['apps.kubernetes.io/pod-index']);
    expect(term && matches(term.labelSelector, set?.labels ?? {})).toBe(true);
  });

  test('has no backup and no replay of a whole graph, whose store no shard has', () => {
    expect([ofRole(of('engagement'), 'backup'), ofRole(of('engagement'), 'replay')]).toEqual([[], []]);
    const claims = resources.filter(({ metadata }) => metadata.name === 'twhin-backup-engagement');
    expect(claims).toEqual([]);
  });

  test('leaves the other graph, and what serves, as they were', () => {
    const rest = (each: readonly Workload[]) => each.filter((one) => graphOf(one) !== 'engagement');
    expect(rest(all)).toEqual(rest(before));
    expect(rest(all).length).toBeGreaterThan(1);
  });

  test('loses one shard at most when nodes are drained', () => {
    const [set] = ofRole(of('engagement'), 'leader');
    const budgets = resources.filter(({ kind, metadata }) => {
      return kind === 'PodDisruptionBudget' && metadata.name === 'twhin-engagement';
    });
    const [spec] = budgets.map((each) => each['spec']);
    expect(spec).toMatchObject({ maxUnavailable: 1 });
    const selector = typeof spec === 'object' && spec !== null && 'selector' in spec ? spec.selector : {};
    expect(matches(selectorSchema.parse(selector), set?.labels ?? {})).toBe(true);
  });
});

describe('at the brokers', () => {
  const parsed = (all: readonly object[]) =>
    all.flatMap((each) => parseDocuments(stringify(each, { aliasDuplicateObjects: false })));
  const ofGraph = (rights: Rights) =>
    Object.fromEntries(Object.entries(rights).filter(([on]) => on.includes('engagement')));
  const users = parsed(kafkaUsers(config));

  test('each shard has a group and a transactional id, all have the topics between shards, and routers have a group', () => {
    const topics = ['embeddings', 'model', 'exchange', 'edges'].map((name) => `${name}.engagement`).join(' ');
    const shards = INDICES.map((index) => `engagement-${index}`).join(' ');
    const rights = rightsOf(users, 'twhin');
    expect(ofGraph(rights)).toEqual({
      ...on('topic', 'engagement', READS),
      ...on('topic', topics, `${READS} Write`),
      ...on('group', `engagement.routers ${shards}`, 'Describe Read'),
      ...on('group', 'engagement', 'Describe'),
      ...on('transactionalId', shards, 'Describe Write'),
    });
    expect(rights).toMatchObject(on('group', 'follow', 'Describe Read'));
    const between = Object.entries(rights).filter(([on]) =>
      /(exchange|edges)\.follow|follow\.routers/.test(on),
    );
    expect(Object.fromEntries(between)).toEqual(on('topic', 'exchange.follow', 'Describe'));
  });

  test('who serves reads the vectors of the whole graph, and no exchange', () => {
    expect(ofGraph(rightsOf(users, 'twhin-serve'))).toEqual(
      on('topic', 'engagement embeddings.engagement model.engagement', READS),
    );
  });

  test('the topics between shards are made with a partition for each shard', () => {
    const between = parsed(kafkaTopics(config)).filter(({ metadata }) =>
      /exchange|edges/.test(metadata.name),
    );
    expect(between.map((topic) => topic['spec'])).toMatchObject([
      { topicName: 'twhin.exchange.engagement', partitions: 3, config: { 'retention.ms': '604800000' } },
      { topicName: 'twhin.edges.engagement', partitions: 3 },
    ]);
  });

  test('a topic of others is read, and managed by whoever has it', () => {
    const own = configOf(
      ({ z: zod, defineTopic }) => ({
        topics: [
          defineTopic({ topic: 'web.clicks.v3', schema: zod.object({}), key: () => 'k', changes: () => [] }),
        ],
        graphs: { follow: { topics: ['follow', 'web.clicks.v3'], relations: ['follows'] } },
      }),
      {},
      '/srv',
    );
    const topics = parsed(kafkaTopics(own));
    expect(topics.map(({ metadata }) => metadata.name)).toEqual([
      'twhin.follow',
      'twhin.erasure',
      'twhin.embeddings.follow',
      'twhin.model.follow',
      'twhin.dead-letter',
    ]);
    for (const name of ['twhin', 'twhin-serve'])
      expect(rightsOf(parsed(kafkaUsers(own)), name)).toMatchObject({
        'topic web.clicks.v3': READS,
      });
  });
});
