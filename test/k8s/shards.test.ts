import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { ROUTING_PATHS } from '../../src/adapters/http/server.ts';
import { selectRun } from '../../src/cli/run/shards.ts';
import { configOf } from '../../src/config/load.ts';
import { routerLag, scaledObjects } from '../../tools/k8s/router-lag.ts';
import { shardBackups } from '../../tools/k8s/shard-backups.ts';
import { shards } from '../../tools/k8s/shards.ts';
import { kafkaTopics, kafkaUsers } from '../../tools/k8s/strimzi.ts';
import { manifestsOf } from './manifests-of.ts';
import { ofKind, parseDocuments, ROOT, render, SKIPPED } from './rendered.ts';
import { graphOf, matches, ofRole, selectorSchema, type Workload, workloads } from './workload.ts';

const CUT = { topicPrefix: 'twhin.', graphs: { engagement: { shards: 3 }, follow: {} } };
const ROUTED = { topicPrefix: 'twhin.', graphs: { engagement: { shards: 3, routed: true }, follow: {} } };
const config = configOf(CUT, {}, '/srv');
const routed = configOf(ROUTED, {}, '/srv');
const INDICES = [0, 1, 2];

const claimSchema = z.looseObject({ persistentVolumeClaim: z.looseObject({ claimName: z.string() }) });

const manifests = await manifestsOf(config);
const routedManifests = await manifestsOf(routed);

describe.skipIf(SKIPPED).each(['dev', 'prod'])('a graph with shards in %s', (base) => {
  const before = SKIPPED ? [] : workloads(render(`k8s/overlays/${base}`));
  const resources = SKIPPED ? [] : render(manifests(`k8s/overlays/${base}`));
  const all = workloads(resources);
  const of = (graph: string) => all.filter((each) => graphOf(each) === graph);
  const was = (role: string) => ofRole(before, role).find((each) => graphOf(each) === 'engagement');

  test('is one StatefulSet with a pod and a volume for each shard, and otherwise as it was', () => {
    const [set, ...more] = ofRole(of('engagement'), 'leader');
    const whole = was('leader');
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

  test('has a standby of each shard where graphs have standbys, which waits for its own shard on another node', () => {
    const standby = ofRole(of('engagement'), 'standby')[0];
    expect(standby === undefined).toBe(base === 'dev');
    if (standby === undefined) return;
    expect(standby.statefulSet?.replicas).toBe(3);
    expect(standby.pod.containers[0]?.args).toContain('--standby');
    const shard = standby.pod.containers[0]?.env.find(({ name }) => name === 'TWHIN_SHARD');
    expect(shard?.valueFrom).toEqual({ fieldRef: { fieldPath: 'metadata.name' } });
    const [init] = standby.pod.initContainers;
    const index = "metadata.labels['apps.kubernetes.io/pod-index']";
    expect(init?.env).toEqual([{ name: 'SHARD', valueFrom: { fieldRef: { fieldPath: index } } }]);
    const [set] = ofRole(of('engagement'), 'leader');
    const host = `${set?.name}-$(SHARD).${set?.statefulSet?.serviceName}`;
    expect(init?.args).toEqual([`http://${host}:8077/readyz`, '600']);
    const [term] = standby.pod.affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    expect(term?.matchLabelKeys).toEqual(['apps.kubernetes.io/pod-index']);
    expect(term && matches(term.labelSelector, set?.labels ?? {})).toBe(true);
  });

  test('has a backup of each shard where graphs have backups, beside the shard, from its volume into another', () => {
    const backups = ofRole(of('engagement'), 'backup');
    const [whole] = ofRole(before, 'backup').filter((each) => graphOf(each) === 'engagement');
    expect(backups.map(({ name }) => name)).toEqual(
      base === 'dev' ? [] : INDICES.map((index) => `twhin-backup-engagement-${index}`),
    );
    const [leader] = ofRole(of('engagement'), 'leader');
    for (const [index, { pod, cronJob }] of backups.entries()) {
      expect(pod.containers.map(({ args }) => args)).toEqual([
        ['backup', '/backup/twhin', `--graph=engagement-${index}`],
      ]);
      const claims = pod.volumes.flatMap((volume) => claimSchema.safeParse(volume).data ?? []);
      const names = claims.map(({ persistentVolumeClaim }) => persistentVolumeClaim.claimName);
      expect(names).toEqual([`state-${leader?.name}-${index}`, `twhin-backup-engagement-${index}`]);
      const made = resources.filter(({ kind, metadata }) => {
        return kind === 'PersistentVolumeClaim' && metadata.name === names[1];
      });
      expect(made).toHaveLength(1);
      const [term] = pod.affinity.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      const podOfShard = { ...leader?.labels, 'apps.kubernetes.io/pod-index': `${index}` };
      expect(term && matches(term.labelSelector, podOfShard)).toBe(true);
      expect(term && matches(term.labelSelector, leader?.labels ?? {})).toBe(false);
      // Everything else is as in the backup of a whole graph.
      expect([cronJob?.concurrencyPolicy, cronJob?.schedule]).toEqual([
        whole?.cronJob?.concurrencyPolicy,
        whole?.cronJob?.schedule,
      ]);
      expect(pod.containers[0]?.volumeMounts).toEqual(whole?.pod.containers[0]?.volumeMounts);
    }
    const claimsOfWhole = resources.filter(({ metadata }) => metadata.name === 'twhin-backup-engagement');
    expect([claimsOfWhole, ofRole(of('engagement'), 'replay')]).toEqual([[], []]);
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

test.each(INDICES)('pod %i of the set runs the shard of its number', (index) => {
  const env = { TWHIN_SHARD: `twhin-engagement-${index}` };
  const run = selectRun(configOf(CUT, env, '/srv'), { graph: ['engagement'] });
  expect(run.map(({ name }) => name)).toEqual([`engagement-${index}`]);
});

test('without such a graph the components change nothing', () => {
  expect(shardBackups(configOf({}, {}, '/srv'))).not.toHaveProperty('resources');
  expect(shards(configOf({}, {}, '/srv'))).toMatchObject({ kind: 'Component', patches: [] });
});

describe('at the brokers', () => {
  const texts = (all: readonly object[]) =>
    all.map((each) => stringify(each, { aliasDuplicateObjects: false }));
  const rightsOf = (name: string, of = config) => {
    const [user] = texts(kafkaUsers(of))
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

  test('of a routed graph, routers have a group, and all write or read one topic of routed events', () => {
    const more = rightsOf('twhin', routed).filter((each) => !rightsOf('twhin').includes(each));
    expect(more.sort()).toEqual([
      'group twhin.engagement.routers: Describe Read',
      'topic twhin.edges.engagement: Describe DescribeConfigs Read Write',
    ]);
    expect(rightsOf('twhin-serve', routed)).toEqual(rightsOf('twhin-serve'));
    const topics = texts(kafkaTopics(routed)).flatMap(parseDocuments);
    const [edges] = topics.filter(({ metadata }) => metadata.name === 'twhin.edges.engagement');
    expect(edges?.['spec']).toMatchObject({ topicName: 'twhin.edges.engagement', partitions: 3 });
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
    const topics = texts(kafkaTopics(own)).flatMap(parseDocuments);
    expect(topics.map(({ metadata }) => metadata.name)).toEqual([
      'twhin.follow',
      'twhin.erasure',
      'twhin.embeddings.follow',
      'twhin.model.follow',
      'twhin.dead-letter',
    ]);
    for (const user of kafkaUsers(own)) {
      expect(JSON.stringify(user)).toContain(
        '{"resource":{"type":"topic","name":"web.clicks.v3","patternType":"literal"},"operations":["Read","Describe","DescribeConfigs"]}',
      );
    }
  });
});

const named = z.looseObject({ name: z.string() });
const portsSchema = z.array(z.looseObject({ port: z.number() }));
const policySchema = z.looseObject({
  metadata: named,
  spec: z.looseObject({
    podSelector: selectorSchema,
    ingress: z.array(z.looseObject({ ports: portsSchema })).default([]),
    egress: z.array(z.looseObject({ ports: portsSchema })).default([]),
  }),
});
const monitorSchema = z.looseObject({
  metadata: named,
  spec: z.looseObject({ selector: selectorSchema, endpoints: z.array(z.looseObject({})).length(1) }),
});
const budgetSchema = z.looseObject({ metadata: named, spec: z.looseObject({ selector: selectorSchema }) });
const autoscalerSchema = z.looseObject({
  metadata: named,
  spec: z.looseObject({ scaleTargetRef: z.looseObject({ kind: z.string(), name: z.string() }) }),
});
const scaledSchema = z.looseObject({
  metadata: named,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({ name: z.string() }),
    minReplicaCount: z.number(),
    maxReplicaCount: z.number(),
    cooldownPeriod: z.number(),
    triggers: z.array(z.looseObject({ type: z.string(), metadata: z.record(z.string(), z.string()) })),
  }),
});

describe.skipIf(SKIPPED).each(['dev', 'prod'])('a routed graph in %s', (base) => {
  const resources = SKIPPED ? [] : render(routedManifests(`k8s/overlays/${base}`));
  const all = workloads(resources);
  const routers = ofRole(all, 'router');

  test('has routers of its own, and its shards and their standbys route nothing', () => {
    expect(routers.map(({ name }) => name)).toEqual(['twhin-router-engagement']);
    const [router] = routers;
    expect(router?.pod.containers.map(({ args }) => args)).toEqual([['route', '--graph=engagement']]);
    expect(router?.pod.volumes.map(({ name }) => name)).not.toContain('state');
    for (const set of all.filter(({ statefulSet }) => statefulSet !== undefined)) {
      if (set.name.startsWith('kafka')) continue;
      const leaves = set.pod.containers[0]?.args.includes('--no-router');
      expect([set.name, leaves]).toEqual([set.name, graphOf(set) === 'engagement']);
    }
  });

  test('has a budget, a service and an autoscaler for its routers alone', () => {
    const [router] = routers;
    const selected = (selector: z.infer<typeof selectorSchema>) =>
      all.filter(({ labels }) => matches(selector, labels));
    expect(router?.deployment && selected(router.deployment.selector)).toEqual([router]);
    const budget = ofKind(resources, 'PodDisruptionBudget', budgetSchema).find(
      ({ metadata }) => metadata.name === router?.name,
    );
    expect(budget && selected(budget.spec.selector)).toEqual([router]);
    const scaled = ofKind(resources, 'HorizontalPodAutoscaler', autoscalerSchema).filter(
      ({ spec }) => spec.scaleTargetRef.name === router?.name,
    );
    expect(scaled.map(({ spec }) => spec.scaleTargetRef.kind)).toEqual(['Deployment']);
    const services = resources.filter(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === router?.name,
    );
    expect(services.map((service) => service['spec'])).toMatchObject([
      { selector: router?.labels, ports: [{ name: 'http', port: 8077, targetPort: 'http' }] },
    ]);
  });

  test('asks its routers at paths that they have, where they listen', () => {
    const [container] = routers[0]?.pod.containers ?? [];
    const probes = [container?.startupProbe, container?.livenessProbe, container?.readinessProbe];
    const asked = probes.map((probe) => probe?.httpGet?.path ?? '');
    expect(asked).toEqual(['/healthz', '/healthz', '/readyz']);
    for (const path of asked) expect(Object.keys(ROUTING_PATHS)).toContain(path);
    const env = new Map(container?.env.map(({ name, value }) => [name, value]));
    expect(env.get('TWHIN_HTTP')).toBe(`0.0.0.0:${container?.ports[0]?.containerPort}`);
    // A login where the shards have one, and the shards' configuration and brokers.
    expect([...env.keys()].includes('KAFKA_SASL_PASSWORD')).toBe(base === 'prod');
    const [leader] = ofRole(all, 'leader');
    expect(container?.envFrom).toEqual(leader?.pod.containers[0]?.envFrom);
    const mapOf = (workload: Workload | undefined) =>
      workload?.pod.volumes.find(({ name }) => name === 'config');
    expect(mapOf(routers[0])).toEqual(mapOf(leader));
    expect((routers[0]?.pod.terminationGracePeriodSeconds ?? 0) * 1_000).toBeGreaterThan(
      routed.stopMs + 2_000,
    );
  });

  test('lets its routers reach names and brokers, and lets Prometheus alone reach them', () => {
    const ports = (way: 'ingress' | 'egress') => {
      const rules = ofKind(resources, 'NetworkPolicy', policySchema)
        .filter(({ spec }) => routers.some(({ labels }) => matches(spec.podSelector, labels)))
        .flatMap(({ spec }) => spec[way]);
      return new Set(rules.flatMap((rule) => rule.ports.map(({ port }) => port)));
    };
    expect(ports('egress')).toEqual(new Set([53, base === 'prod' ? 9093 : 9092]));
    expect(ports('ingress')).toEqual(new Set(base === 'prod' ? [8077] : []));
    const [monitor] = ofKind(resources, 'ServiceMonitor', monitorSchema).filter(
      ({ spec }) => routers[0] && matches(spec.selector, routers[0].labels),
    );
    if (base === 'prod') {
      const relabelings = [{ targetLabel: 'job', replacement: 'twhin-route' }];
      expect(monitor?.spec.endpoints[0]).toMatchObject({ port: 'http', path: '/metrics', relabelings });
    }
  });
});

describe.skipIf(SKIPPED)('the component router-lag', () => {
  test('scales routers by the lag of their group, in place of the other autoscaler', () => {
    const folder = join(dirname(routedManifests('k8s')), 'k8s', 'overlays', 'lag');
    mkdirSync(join(ROOT, folder));
    writeFileSync(
      join(ROOT, folder, 'kustomization.yaml'),
      stringify({ namespace: 'twhin', resources: ['../prod'], components: ['../../components/router-lag'] }),
    );
    const resources = render(folder);
    const scaled = ofKind(resources, 'ScaledObject', scaledSchema);
    expect(scaled.map(({ spec }) => spec.scaleTargetRef.name)).toEqual(['twhin-router-engagement']);
    const [trigger] = scaled[0]?.spec.triggers ?? [];
    expect(trigger).toMatchObject({
      type: 'kafka',
      metadata: { consumerGroup: 'twhin.engagement.routers', bootstrapServersFromEnv: 'KAFKA_BROKERS' },
      authenticationRef: { name: 'twhin-router-lag' },
    });
    expect(resources.filter(({ kind }) => kind === 'TriggerAuthentication')).toHaveLength(1);
    const partitions = routed.graphs
      .find(({ name }) => name === 'engagement-0')
      ?.topics.map((topic) => topic.partitions);
    expect(scaled[0]?.spec.maxReplicaCount).toBe(partitions?.reduce((sum, each) => sum + each, 0));
    const others = ofKind(resources, 'HorizontalPodAutoscaler', autoscalerSchema);
    expect(others.map(({ metadata }) => metadata.name)).toEqual(['twhin-serve']);
  });

  test('changes nothing without a routed graph', () => {
    expect(routerLag(config)).toMatchObject({ kind: 'Component', patches: [] });
    expect(scaledObjects(config)).toEqual([]);
  });
});
