import { stringify } from 'yaml';
import type { Config, GraphConfig } from '../../src/config/resolve.ts';
import type { Shard } from '../../src/graph/shard.ts';

/** What the manifests have for a whole graph alone: the volumes that these pods mount are those of shards here. */
const WHOLE_ALONE = [
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'backup' },
  { kind: 'PersistentVolumeClaim', apiVersion: 'v1', role: 'backup' },
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'replay' },
];
/** The label that a StatefulSet gives its pods, from Kubernetes 1.28 on. */
export const POD_INDEX = 'apps.kubernetes.io/pod-index';

/**
 * The component that runs each graph with shards as one StatefulSet with a pod for each shard, another one with their standbys
 * where there are standbys and, where the graph is routed, routers that scale by themselves. A pod's ordinal, at the end of its
 * name, is the shard. Without such a graph the component changes nothing.
 * k8s: the folder of the manifests as seen from the component's.
 */
export function shards(config: Config, k8s = '../..'): object {
  const cut = cutGraphs(config);
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'shards' },
    ...(cut.some(({ routed }) => routed) && {
      resources: cut.flatMap(({ routed, shard }) => (routed ? [`${k8s}/routers/${shard.graph}`] : [])),
    }),
    patches: cut.flatMap(({ routed, shard: { graph, count } }) => [
      {
        target: { kind: 'StatefulSet', labelSelector: labels(graph, 'leader') },
        patch: stringify(each(count, routed)),
      },
      {
        target: { kind: 'StatefulSet', labelSelector: labels(graph, 'standby') },
        patch: stringify([...each(count, routed), ...besideItsLeader(graph)]),
      },
      ...WHOLE_ALONE.map(({ kind, apiVersion, role }) => ({
        target: { kind, labelSelector: labels(graph, role) },
        patch: stringify({ $patch: 'delete', apiVersion, kind, metadata: { name: 'any' } }),
      })),
    ]),
  };
}

/** The graphs with shards, each by its first shard. */
export function cutGraphs(
  config: Config,
): (Pick<GraphConfig, 'topics'> & { routed: boolean; shard: Shard })[] {
  return config.graphs.flatMap(({ shard, routed = false, topics }) =>
    shard?.index === 0 ? [{ shard, routed, topics }] : [],
  );
}

/** A pod for each shard, which routes nothing itself where routers have pods of their own. */
function each(count: number, routed: boolean): object[] {
  return [
    { op: 'replace', path: '/spec/replicas', value: count },
    {
      op: 'add',
      path: '/spec/template/spec/containers/0/env/-',
      value: { name: 'TWHIN_SHARD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    },
    ...(routed ? [{ op: 'add', path: '/spec/template/spec/containers/0/args/-', value: '--no-router' }] : []),
  ];
}

/** A standby waits for the pod of its own shard, and keeps away from the node of that pod alone. */
function besideItsLeader(graph: string): object[] {
  const init = '/spec/template/spec/initContainers/0';
  const term =
    '/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0';
  const fieldPath = `metadata.labels['${POD_INDEX}']`;
  const leader = `http://twhin-${graph}-$(SHARD).twhin-${graph}:8077/readyz`;
  return [
    { op: 'add', path: `${init}/env`, value: [{ name: 'SHARD', valueFrom: { fieldRef: { fieldPath } } }] },
    { op: 'replace', path: `${init}/args/0`, value: leader },
    { op: 'add', path: `${term}/matchLabelKeys`, value: [POD_INDEX] },
  ];
}

function labels(graph: string, role: string): string {
  return `twhin-stream/graph=${graph},twhin-stream/role=${role}`;
}
