import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** Recording rules first, because alerts use the recorded series. */
const FILES = ['recording.yaml', 'alerts.yaml'];

const rulesSchema = z.strictObject({ groups: z.array(z.looseObject({ name: z.string() })) });

/** Prometheus's own rule files as one resource of the operator. folder: of the rule files; a missing file is left out. */
export async function prometheusRule(folder: string): Promise<object> {
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
