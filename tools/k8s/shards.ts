import { stringify } from 'yaml';
import type { Config } from '../../src/config/resolve.ts';

/** What the manifests have for a whole graph alone: the volumes that these pods mount are those of shards here. */
const WHOLE_ALONE = [
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'backup' },
  { kind: 'PersistentVolumeClaim', apiVersion: 'v1', role: 'backup' },
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'replay' },
];
/** The label that a StatefulSet gives its pods, from Kubernetes 1.28 on: the number of the pod, which is that of its shard. */
const POD_INDEX = 'apps.kubernetes.io/pod-index';
const SHARD = { name: 'SHARD', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${POD_INDEX}']` } } };

/**
 * The component that runs each graph with shards as one StatefulSet with a pod for each shard, and another one with their standbys
 * where there are standbys. Without such a graph the component changes nothing.
 */
export function shards({ graphs }: Config): object {
  const cut = graphs.flatMap(({ shard }) => (shard?.index === 0 ? [shard] : []));
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'shards' },
    patches: cut.flatMap(({ graph, count }) => [
      {
        target: { kind: 'StatefulSet', labelSelector: labels(graph, 'leader') },
        patch: stringify(each(graph, count)),
      },
      {
        target: { kind: 'StatefulSet', labelSelector: labels(graph, 'standby') },
        patch: stringify([...each(graph, count), ...besideItsLeader(graph)]),
      },
      ...WHOLE_ALONE.map(({ kind, apiVersion, role }) => ({
        target: { kind, labelSelector: labels(graph, role) },
        patch: stringify({ $patch: 'delete', apiVersion, kind, metadata: { name: 'any' } }),
      })),
    ]),
  };
}

/** A pod for each shard. */
function each(graph: string, count: number): object[] {
  const container = '/spec/template/spec/containers/0';
  return [
    { op: 'replace', path: '/spec/replicas', value: count },
    { op: 'add', path: `${container}/env/-`, value: SHARD },
    { op: 'test', path: `${container}/args/1`, value: `--graph=${graph}` },
    { op: 'replace', path: `${container}/args/1`, value: `--graph=${graph}-$(SHARD)` },
  ];
}

/** A standby waits for the pod of its own shard, and keeps away from the node of that pod alone. */
function besideItsLeader(graph: string): object[] {
  const init = '/spec/template/spec/initContainers/0';
  const term =
    '/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0';
  const leader = `http://twhin-${graph}-$(SHARD).twhin-${graph}:8077/readyz`;
  return [
    { op: 'add', path: `${init}/env`, value: [SHARD] },
    { op: 'replace', path: `${init}/args/0`, value: leader },
    { op: 'add', path: `${term}/matchLabelKeys`, value: [POD_INDEX] },
  ];
}

function labels(graph: string, role: string): string {
  return `twhin-stream/graph=${graph},twhin-stream/role=${role}`;
}
