import { stringify } from 'yaml';
import type { Config } from '../../src/config/resolve.ts';
import { cutGraphs } from './shards.ts';

/** The login of the pods, for KEDA's own question about the lag. */
const LOGIN = 'twhin-router-lag';
/** Waiting records for each pod. Chosen, not measured. */
const LAG = '10000';

/** The component that scales routers by the lag of their group, with KEDA. Without routed graphs it changes nothing. */
export function routerLag(config: Config): object {
  const routed = cutGraphs(config).filter((each) => each.routed);
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    metadata: { name: 'router-lag' },
    ...(routed.length > 0 && { resources: ['scaled-objects.yaml'] }),
    // KEDA makes an autoscaler of its own, and refuses a second one.
    patches: routed.map(({ shard: { graph } }) => ({
      target: { kind: 'HorizontalPodAutoscaler', name: `twhin-router-${graph}` },
      patch: stringify({
        $patch: 'delete',
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: `twhin-router-${graph}` },
      }),
    })),
  };
}

/** What KEDA needs: who it is at the brokers, and for each routed graph what is scaled by which lag. */
export function scaledObjects(config: Config): object[] {
  const routed = cutGraphs(config).filter((each) => each.routed);
  if (routed.length === 0) return [];
  return [
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'TriggerAuthentication',
      metadata: { name: LOGIN, labels: { 'app.kubernetes.io/name': 'twhin-stream' } },
      spec: {
        secretTargetRef: [
          { parameter: 'username', name: 'twhin-kafka', key: 'username' },
          { parameter: 'password', name: 'twhin-kafka', key: 'password' },
          { parameter: 'ca', name: 'twhin-kafka-ca', key: 'ca.crt' },
        ],
      },
    },
    ...routed.map(({ shard: { graph }, topics }) => ({
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: {
        name: `twhin-router-${graph}`,
        labels: {
          'app.kubernetes.io/name': 'twhin-stream',
          'twhin-stream/graph': graph,
          'twhin-stream/role': 'router',
        },
      },
      spec: {
        scaleTargetRef: { name: `twhin-router-${graph}` },
        minReplicaCount: 2,
        // A router beyond the number of event partitions has nothing to do.
        maxReplicaCount: topics.reduce((sum, { partitions }) => sum + partitions, 0),
        cooldownPeriod: 600,
        triggers: [
          {
            type: 'kafka',
            metadata: {
              bootstrapServersFromEnv: 'KAFKA_BROKERS',
              // Without a topic: all topics of the group.
              consumerGroup: `${config.topicPrefix}${graph}.routers`,
              lagThreshold: LAG,
              sasl: 'scram_sha512',
              tls: 'enable',
            },
            authenticationRef: { name: LOGIN },
          },
        ],
      },
    })),
  ];
}
