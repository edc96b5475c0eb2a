import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load.ts';
import { shards } from './shards.ts';
import { kafkaTopics, kafkaUsers } from './strimzi.ts';

/** The configuration of the cluster's pods. */
export const CLUSTER_CONFIG = 'k8s/base/twhin.config.ts';

/** Recording rules first, because alerts use the recorded series. */
const FILES = ['recording.yaml', 'alerts.yaml'];

const rulesSchema = z.strictObject({ groups: z.array(z.looseObject({ name: z.string() })) });

/**
 * The generated files of k8s/, by path.
 * root: the checkout. @throws UsageError when the cluster's configuration has a problem.
 */
export async function generated(root: string): Promise<ReadonlyMap<string, string>> {
  // The environment is left out: the generated files must be the same on every machine.
  const config = await loadConfig({ TWHIN_CONFIG: CLUSTER_CONFIG }, root);
  return new Map([
    ['k8s/strimzi/topics.yaml', documents(`the topics that ${CLUSTER_CONFIG} declares`, kafkaTopics(config))],
    ['k8s/strimzi/user.yaml', documents(`the topics and graphs of ${CLUSTER_CONFIG}`, kafkaUsers(config))],
    [
      'k8s/components/shards/kustomization.yaml',
      documents(`the graphs with shards of ${CLUSTER_CONFIG}`, [shards(config)]),
    ],
    [
      'k8s/components/monitoring/prometheus-rule.yaml',
      documents('monitoring/recording.yaml and monitoring/alerts.yaml', [
        await prometheusRule(join(root, 'monitoring')),
      ]),
    ],
  ]);
}

function documents(from: string, resources: readonly object[]): string {
  const texts = resources.map((resource) =>
    stringify(resource, { lineWidth: 0, aliasDuplicateObjects: false }),
  );
  return `# Generated from ${from} by npm run k8s: change those.\n${texts.join('---\n')}`;
}

/** Prometheus's own rule files as one resource of the operator. folder: of the rule files; a missing file is left out. */
async function prometheusRule(folder: string): Promise<object> {
  const groups: object[] = [];
  for (const file of FILES.map((name) => join(folder, name)).filter((path) => existsSync(path))) {
    groups.push(...rulesSchema.parse(parse(await readFile(file, 'utf8'))).groups);
  }
  return {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'twhin-stream',
      labels: { 'app.kubernetes.io/name': 'twhin-stream', release: 'prometheus' },
    },
    spec: { groups },
  };
}
