import { z } from 'zod';
import type { Resource } from './rendered.ts';

const labels = z.record(z.string(), z.string());
const quantities = z.strictObject({ cpu: z.string(), memory: z.string() });

export const selectorSchema = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: z
    .array(z.strictObject({ key: z.string(), operator: z.literal('In'), values: z.array(z.string()).min(1) }))
    .default([]),
});
export type Selector = z.infer<typeof selectorSchema>;

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port: z.string() }).optional(),
  tcpSocket: z.strictObject({ port: z.string() }).optional(),
  periodSeconds: z.number(),
  timeoutSeconds: z.number().default(1),
  failureThreshold: z.number().default(3),
});
const affinityTerm = z.strictObject({
  topologyKey: z.string(),
  labelSelector: selectorSchema,
  matchLabelKeys: z.array(z.string()).optional(),
});
const required = z.strictObject({ requiredDuringSchedulingIgnoredDuringExecution: z.array(affinityTerm) });
const keyRef = z.strictObject({ name: z.string(), key: z.string() });

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z
    .array(
      z.strictObject({
        name: z.string(),
        value: z.string().optional(),
        valueFrom: z
          .union([
            z.strictObject({ secretKeyRef: keyRef }),
            z.strictObject({ fieldRef: z.looseObject({ fieldPath: z.string() }) }),
          ])
          .optional(),
      }),
    )
    .default([]),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name: z.string() }) })).default([]),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.number() })).default([]),
  resources: z.strictObject({ requests: quantities, limits: quantities }),
  securityContext: z.unknown(),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  lifecycle: z
    .strictObject({
      preStop: z.strictObject({ exec: z.strictObject({ command: z.array(z.string()) }) }),
    })
    .optional(),
  volumeMounts: z
    .array(z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) }))
    .default([]),
});
export type Container = z.infer<typeof container>;

const podSpec = z.looseObject({
  serviceAccountName: z.string().optional(),
  automountServiceAccountToken: z.boolean().optional(),
  enableServiceLinks: z.boolean().optional(),
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.unknown(),
  affinity: z
    .strictObject({ podAffinity: required.optional(), podAntiAffinity: required.optional() })
    .default({}),
  initContainers: z.array(container).default([]),
  containers: z.array(container).min(1),
  volumes: z.array(z.looseObject({ name: z.string() })).default([]),
});

const template = z.looseObject({ metadata: z.looseObject({ labels }), spec: podSpec });
const claim = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ accessModes: z.array(z.string()) }),
});

const statefulSet = z.looseObject({
  spec: z.strictObject({
    serviceName: z.string(),
    replicas: z.number(),
    updateStrategy: z.unknown(),
    podManagementPolicy: z.string(),
    persistentVolumeClaimRetentionPolicy: z.unknown(),
    selector: selectorSchema,
    template,
    volumeClaimTemplates: z.array(claim),
  }),
});
const cronJob = z.looseObject({
  spec: z.looseObject({
    schedule: z.string(),
    suspend: z.boolean().default(false),
    concurrencyPolicy: z.string(),
    jobTemplate: z.looseObject({ spec: z.looseObject({ podReplacementPolicy: z.string(), template }) }),
  }),
});

const deployment = z.looseObject({
  spec: z.strictObject({
    selector: selectorSchema,
    strategy: z.unknown(),
    progressDeadlineSeconds: z.number(),
    template,
  }),
});

export type StatefulSet = z.infer<typeof statefulSet>['spec'];
export type CronJob = z.infer<typeof cronJob>['spec'];
export type Deployment = z.infer<typeof deployment>['spec'];

/** A resource that makes pods. */
export interface Workload {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pod: z.infer<typeof podSpec>;
  readonly statefulSet?: StatefulSet;
  readonly cronJob?: CronJob;
  readonly deployment?: Deployment;
}

/** Kinds that make pods. We use only those with a case below. */
const MAKES_PODS = ['Pod', 'Deployment', 'ReplicaSet', 'DaemonSet', 'Job', 'StatefulSet', 'CronJob'];

/** Every workload, in the order of its application. @throws for a kind that we do not use. */
export function workloads(resources: readonly Resource[]): Workload[] {
  return resources
    .filter(({ kind }) => MAKES_PODS.includes(kind))
    .map((each) => {
      const { name } = each.metadata;
      if (each.kind === 'StatefulSet') {
        const { spec } = statefulSet.parse(each);
        return { name, labels: spec.template.metadata.labels, pod: spec.template.spec, statefulSet: spec };
      }
      if (each.kind === 'CronJob') {
        const { spec } = cronJob.parse(each);
        const { template } = spec.jobTemplate.spec;
        return { name, labels: template.metadata.labels, pod: template.spec, cronJob: spec };
      }
      if (each.kind === 'Deployment') {
        const { spec } = deployment.parse(each);
        return { name, labels: spec.template.metadata.labels, pod: spec.template.spec, deployment: spec };
      }
      throw new Error(`${each.kind} ${name}: expected StatefulSets, CronJobs and Deployments alone`);
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
