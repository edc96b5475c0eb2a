import { stringify } from 'yaml';
import type { Config } from '../../src/config/resolve.ts';

/** What the manifests have for a whole graph alone: the volumes that these pods mount are those of shards here. */
const WHOLE_ALONE = [
  { kind: 'StatefulSet', apiVersion: 'apps/v1', role: 'standby' },
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'backup' },
  { kind: 'CronJob', apiVersion: 'batch/v1', role: 'replay' },
];

/**
 * The component that runs each graph with shards as one StatefulSet with a pod for each shard. The pod's ordinal, at the end of
 * its name, is the shard. Without such a graph the component changes nothing.
 */
export function shards(config: Config): object {
  const cut = config.graphs.flatMap(({ shard }) => (shard?.index === 0 ? [shard] : []));
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'shards' },
    patches: cut.flatMap(({ graph, count }) => [
      {
        target: { kind: 'StatefulSet', labelSelector: labels(graph, 'leader') },
        patch: stringify([
          { op: 'replace', path: '/spec/replicas', value: count },
          {
            op: 'add',
            path: '/spec/template/spec/containers/0/env/-',
            value: { name: 'TWHIN_SHARD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          },
        ]),
      },
      ...WHOLE_ALONE.map(({ kind, apiVersion, role }) => ({
        target: { kind, labelSelector: labels(graph, role) },
        patch: stringify({ $patch: 'delete', apiVersion, kind, metadata: { name: 'any' } }),
      })),
    ]),
  };
}

function labels(graph: string, role: string): string {
  return `twhin-stream/graph=${graph},twhin-stream/role=${role}`;
}
