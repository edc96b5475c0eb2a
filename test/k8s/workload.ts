import { z } from 'zod';
import { type Resource, render, SKIPPED } from './rendered.ts';

/** What tests read of the workloads. Kubernetes' own schemas check all fields, see schemas.test. */
const text = z.string();
const texts = z.array(text).default([]);
const labels = z.record(text, text);
const named = z.looseObject({ name: text });
const all = <T extends z.ZodType>(of: T) => z.array(of).default([]);

export const selectorSchema = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: all(
    z.strictObject({ key: text, operator: z.literal('In'), values: z.array(text).min(1) }),
  ),
});
export type Selector = z.infer<typeof selectorSchema>;

const probe = z.looseObject({
  httpGet: z.looseObject({ path: text, port: text }).optional(),
  periodSeconds: z.number(),
  timeoutSeconds: z.number().default(1),
  failureThreshold: z.number().default(3),
});
const term = z.strictObject({
  ...{ topologyKey: text, labelSelector: selectorSchema, matchLabelKeys: z.array(text).optional() },
});
const required = z.strictObject({ requiredDuringSchedulingIgnoredDuringExecution: z.array(term) }).optional();
const valueFrom = z.union([
  z.strictObject({ secretKeyRef: named }),
  z.strictObject({ fieldRef: z.unknown() }),
]);
const quantities = z.strictObject({ cpu: text, memory: text });

const container = named.extend({
  ...{ image: text, command: texts, args: texts, securityContext: z.unknown() },
  env: all(named.extend({ value: text.optional(), valueFrom: valueFrom.optional() })),
  envFrom: all(z.strictObject({ configMapRef: named })),
  ports: all(named.extend({ containerPort: z.number() })),
  resources: z.strictObject({ requests: quantities, limits: quantities }),
  ...{ startupProbe: probe.optional(), livenessProbe: probe.optional(), readinessProbe: probe.optional() },
  lifecycle: z.strictObject({ preStop: z.strictObject({ exec: z.object({ command: texts }) }) }).optional(),
  volumeMounts: all(named.extend({ mountPath: text, readOnly: z.boolean().default(false) })),
});
export type Container = z.infer<typeof container>;

const podSpec = z.looseObject({
  serviceAccountName: text.optional(),
  automountServiceAccountToken: z.boolean().optional(),
  enableServiceLinks: z.boolean().optional(),
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.unknown(),
  affinity: z.strictObject({ podAffinity: required, podAntiAffinity: required }).default({}),
  initContainers: all(container),
  containers: z.array(container).min(1),
  volumes: all(named),
});
const template = z.looseObject({ metadata: z.looseObject({ labels }), spec: podSpec });

const statefulSet = z.strictObject({
  ...{
    serviceName: text,
    replicas: z.number(),
    podManagementPolicy: text,
    selector: selectorSchema,
    template,
  },
  ...{ updateStrategy: z.unknown(), persistentVolumeClaimRetentionPolicy: z.unknown() },
  volumeClaimTemplates: z.array(
    z.looseObject({ metadata: named, spec: z.looseObject({ accessModes: z.array(text) }) }),
  ),
});
const jobTemplate = z.looseObject({ spec: z.looseObject({ podReplacementPolicy: text, template }) });
const cronJob = z.looseObject({
  ...{ suspend: z.boolean().default(false), concurrencyPolicy: text, jobTemplate },
});
const deployment = z.strictObject({
  ...{ selector: selectorSchema, strategy: z.unknown(), progressDeadlineSeconds: z.number(), template },
});

/** A resource that makes pods. */
export interface Workload {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pod: z.infer<typeof podSpec>;
  readonly statefulSet?: z.infer<typeof statefulSet>;
  readonly cronJob?: z.infer<typeof cronJob>;
  readonly deployment?: z.infer<typeof deployment>;
}

/** Kinds that make pods. We use only those with a case below. */
const MAKES_PODS = ['Pod', 'Deployment', 'ReplicaSet', 'DaemonSet', 'Job', 'StatefulSet', 'CronJob'];

/** Every workload, in the order of its application. @throws for a kind that we do not use. */
export function workloads(resources: readonly Resource[]): Workload[] {
  const made = resources.filter(({ kind }) => MAKES_PODS.includes(kind));
  return made.map(({ kind, metadata: { name }, spec }) => {
    const of = ({ metadata: { labels }, spec }: z.infer<typeof template>) => ({ name, labels, pod: spec });
    if (kind === 'StatefulSet') {
      const set = statefulSet.parse(spec);
      return { ...of(set.template), statefulSet: set };
    }
    if (kind === 'CronJob') {
      const job = cronJob.parse(spec);
      return { ...of(job.jobTemplate.spec.template), cronJob: job };
    }
    if (kind === 'Deployment') {
      const one = deployment.parse(spec);
      return { ...of(one.template), deployment: one };
    }
    throw new Error(`${kind} ${name}: expected StatefulSets, CronJobs and Deployments alone`);
  });
}

export function containersOf({ pod }: Workload): Container[] {
  return [...pod.initContainers, ...pod.containers];
}

/** Our workloads with this role, such as leader. */
export function ofRole(all: readonly Workload[], role: string): Workload[] {
  return all.filter(({ labels }) => labels['twhin-stream/role'] === role);
}

export function graphOf({ labels }: Workload): string {
  return labels['twhin-stream/graph'] ?? '';
}

export function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value) &&
    selector.matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  );
}

/** Both overlays as they are rendered; empty where no tool renders. */
export const OVERLAYS = ['dev', 'prod'].map((overlay) => {
  const resources = SKIPPED ? [] : render(`k8s/overlays/${overlay}`);
  return { overlay, resources, all: workloads(resources) };
});
