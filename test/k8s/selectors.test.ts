import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ofKind, SKIPPED } from './rendered.ts';
import { graphOf, matches, OVERLAYS, ofRole, selectorSchema, type Workload } from './workload.ts';

const pairs = z.record(z.string(), z.string());
const named = z.looseObject({ name: z.string(), labels: pairs.default({}) });
const servicePort = z.strictObject({ name: z.string(), port: z.number(), targetPort: z.string() });
const serviceSchema = z.looseObject({
  metadata: named,
  spec: z.looseObject({ selector: pairs, ports: z.array(servicePort).length(1) }),
});
const budgetSchema = z.looseObject({
  metadata: named,
  spec: z.strictObject({
    maxUnavailable: z.literal(1),
    unhealthyPodEvictionPolicy: z.literal('AlwaysAllow'),
    selector: selectorSchema,
  }),
});
/** Strict: a peer or a rule without one of these fields would admit everybody. */
const peers = z.array(
  z.strictObject({ podSelector: selectorSchema, namespaceSelector: selectorSchema }).partial(),
);
const ports = z.array(z.strictObject({ port: z.number(), protocol: z.enum(['TCP', 'UDP']) })).min(1);
const policySchema = z.looseObject({
  metadata: named,
  spec: z.strictObject({
    podSelector: selectorSchema,
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])).min(1),
    ingress: z.array(z.strictObject({ from: peers.min(1), ports })).default([]),
    egress: z.array(z.strictObject({ to: peers.min(1), ports })).default([]),
  }),
});
const endpoint = z.looseObject({ port: z.string(), path: z.string(), relabelings: z.array(z.unknown()) });
const monitorSchema = z.looseObject({
  metadata: named,
  spec: z.looseObject({ selector: selectorSchema, endpoints: z.array(endpoint).length(1) }),
});
const configMapSchema = z.looseObject({ metadata: named, data: pairs });

describe.skipIf(SKIPPED).each(OVERLAYS)('selectors of $overlay', ({ overlay, resources, all }) => {
  const ours = all.filter(({ labels }) => labels['app.kubernetes.io/name'] === 'twhin-stream');
  const sets = all.filter(({ statefulSet }) => statefulSet !== undefined);
  const serving = ofRole(all, 'serve');
  const services = ofKind(resources, 'Service', serviceSchema);
  const policies = ofKind(resources, 'NetworkPolicy', policySchema);
  const namesOf = (workloads: readonly Workload[]) => workloads.map(({ name }) => name).sort();
  const selected = (selector: z.infer<typeof selectorSchema>) =>
    all.filter(({ labels }) => matches(selector, labels));

  test.each(sets)('$name takes its own pods alone, and its service leads to their port', (set) => {
    expect(set.statefulSet && selected(set.statefulSet.selector)).toEqual([set]);
    const service = services.find(({ metadata }) => metadata.name === set.statefulSet?.serviceName);
    expect(selected(selectorSchema.parse({ matchLabels: service?.spec.selector }))).toEqual([set]);
    const [port] = service?.spec.ports ?? [];
    const [listens] = set.pod.containers.flatMap((container) => container.ports);
    expect([port?.targetPort, port?.port]).toEqual([listens?.name, listens?.containerPort]);
  });

  test.each(serving)('$name takes its own pods, and its service and its budget do too', (each) => {
    expect(each.deployment && selected(each.deployment.selector)).toEqual([each]);
    const service = services.find(({ metadata }) => metadata.name === each.name);
    expect(selected(selectorSchema.parse({ matchLabels: service?.spec.selector }))).toEqual([each]);
    const [listens] = each.pod.containers.flatMap((container) => container.ports);
    expect(service?.spec.ports).toEqual([
      { name: 'http', port: listens?.containerPort, targetPort: listens?.name },
    ]);
    const budgets = ofKind(resources, 'PodDisruptionBudget', budgetSchema);
    const own = budgets.filter(({ spec }) => selected(spec.selector).includes(each));
    expect(own.map(({ spec }) => selected(spec.selector))).toEqual([[each]]);
  });

  test.each(serving)('$name is asked by labelled pods and by Prometheus, and by nobody else', (each) => {
    const asked = policies.filter(
      ({ spec }) => spec.ingress.length > 0 && matches(spec.podSelector, each.labels),
    );
    const askers = asked.flatMap(({ spec }) =>
      spec.ingress.flatMap((rule) => rule.from.map((peer) => peer.podSelector?.matchLabels)),
    );
    expect(asked.flatMap(({ spec }) => spec.ingress.flatMap((rule) => rule.ports))).toEqual(
      askers.map(() => ({ port: 8079, protocol: 'TCP' })),
    );
    const prometheus = overlay === 'prod' ? [{ 'app.kubernetes.io/name': 'prometheus' }] : [];
    const labelled = { 'twhin-stream/asks': 'serve' };
    expect(askers.map((labels) => JSON.stringify(labels)).sort()).toEqual(
      [labelled, ...prometheus].map((labels) => JSON.stringify(labels)).sort(),
    );
  });

  test('one budget covers leader and standby of each graph', () => {
    const budgets = ofKind(resources, 'PodDisruptionBudget', budgetSchema).filter(
      ({ metadata }) => metadata.labels['twhin-stream/role'] !== 'serve',
    );
    const graphs = new Set(ofRole(all, 'leader').map(graphOf));
    expect(budgets.length).toBe(graphs.size);
    for (const { metadata, spec } of budgets) {
      const graph = metadata.labels['twhin-stream/graph'];
      const both = [...ofRole(all, 'leader'), ...ofRole(all, 'standby')];
      expect(namesOf(selected(spec.selector))).toEqual(
        namesOf(both.filter((each) => graphOf(each) === graph)),
      );
    }
  });

  test('each policy selects existing pods', () => {
    for (const { metadata, spec } of policies) {
      expect([metadata.name, selected(spec.podSelector).length]).not.toEqual([metadata.name, 0]);
      const within = [...spec.ingress.flatMap(({ from }) => from), ...spec.egress.flatMap(({ to }) => to)];
      for (const { podSelector, namespaceSelector } of within) {
        if (namespaceSelector !== undefined || podSelector === undefined) continue;
        expect([metadata.name, selected(podSelector).length]).not.toEqual([metadata.name, 0]);
      }
    }
  });

  test('no pod is reached and no pod reaches out without a policy', () => {
    const closed = policies.filter(({ spec }) => spec.policyTypes.length === 2 && spec.ingress.length === 0);
    const covered = closed.flatMap(({ spec }) => selected(spec.podSelector));
    expect(namesOf(covered)).toEqual(namesOf(ours));
    for (const { spec } of closed)
      expect(spec.egress.flatMap((rule) => rule.ports.map(({ port }) => port))).toEqual([53, 53]);
  });

  test('all pods that need the brokers may reach their configured ports', () => {
    const maps = ofKind(resources, 'ConfigMap', configMapSchema);
    const brokers = maps.find(({ data }) => data['KAFKA_BROKERS'] !== undefined)?.data['KAFKA_BROKERS'];
    const wanted = new Set(brokers?.split(',').map((broker) => Number(broker.split(':').at(-1))));
    const to = policies.find(({ metadata }) => /^twhin-to-brokers?$/.test(metadata.name));
    expect(new Set(to?.spec.egress.flatMap((rule) => rule.ports.map(({ port }) => port)))).toEqual(wanted);
    const need = ours.filter(({ labels }) => labels['twhin-stream/role'] !== 'backup');
    expect(to && namesOf(selected(to.spec.podSelector))).toEqual(namesOf(need));
  });

  test.each([
    ['twhin-stream', 'twhin', 'twhin-from-prometheus', [...ofRole(all, 'leader'), ...ofRole(all, 'standby')]],
    ['twhin-serve', 'twhin-serve', 'twhin-serve-from-prometheus', serving],
  ])('Prometheus selects every process of %s and may reach its port', (monitor, job, policy, wanted) => {
    const monitors = ofKind(resources, 'ServiceMonitor', monitorSchema);
    expect(monitors.length).toBe(overlay === 'prod' ? 2 : 0);
    if (overlay !== 'prod') return;
    const spec = monitors.find(({ metadata }) => metadata.name === monitor)?.spec;
    const asked = services.filter(({ metadata }) => spec && matches(spec.selector, metadata.labels));
    expect(asked.map(({ metadata }) => metadata.name).sort()).toEqual(namesOf(wanted));
    expect(spec?.endpoints[0]).toMatchObject({ port: asked[0]?.spec.ports[0]?.name, path: '/metrics' });
    // The rules select by the job.
    expect(spec?.endpoints[0]?.relabelings).toEqual([{ targetLabel: 'job', replacement: job }]);
    const from = policies.find(({ metadata }) => metadata.name === policy);
    expect(from && namesOf(selected(from.spec.podSelector))).toEqual(namesOf(wanted));
    const [port] = asked[0]?.spec.ports ?? [];
    expect(from?.spec.ingress.flatMap((rule) => rule.ports)).toEqual([{ port: port?.port, protocol: 'TCP' }]);
  });

  test('a standby may ask its leader, and the leader admits the standby', () => {
    const reach = (within: z.infer<typeof peers>, labels: Workload['labels']) =>
      within.some(({ podSelector }) => podSelector !== undefined && matches(podSelector, labels));
    for (const standby of ofRole(all, 'standby')) {
      const leader = ofRole(all, 'leader').find((each) => graphOf(each) === graphOf(standby));
      const of = (at: Workload) => policies.filter(({ spec }) => matches(spec.podSelector, at.labels));
      const asked = of(standby).flatMap(({ spec }) => spec.egress.flatMap(({ to }) => to));
      const admitted = leader && of(leader).flatMap(({ spec }) => spec.ingress.flatMap(({ from }) => from));
      expect(leader && reach(asked, leader.labels)).toBe(true);
      expect(admitted && reach(admitted, standby.labels)).toBe(true);
    }
  });
});
