import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ROOT, render, SKIPPED } from './rendered.ts';
import { containersOf, graphOf, workloads } from './workload.ts';

const scratch = mkdtempSync(join(tmpdir(), 'k8s-own-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The kustomization of docs/deploy.md, written to `scratch`. */
function fromTheDocs(): string {
  const docs = readFileSync(join(ROOT, 'docs', 'deploy.md'), 'utf8');
  const [, block] = /^ {3}```yaml\n(.*?)^ {3}```$/ms.exec(docs) ?? [];
  if (block === undefined) throw new Error('docs/deploy.md shows no kustomization');
  const folder = join(scratch, 'own');
  mkdirSync(folder);
  const text = block.replaceAll(/^ {3}/gm, '').replace('../twhin-stream', relative(folder, ROOT));
  writeFileSync(join(folder, 'kustomization.yaml'), text);
  return relative(ROOT, folder);
}

describe.skipIf(SKIPPED)('the kustomization of docs/deploy.md', () => {
  const resources = SKIPPED ? [] : render(fromTheDocs());
  const all = workloads(resources);

  test('runs its image everywhere', () => {
    const images = new Set(all.flatMap(containersOf).map(({ image }) => image));
    expect([...images]).toEqual(['images.example.com/twhin-stream:0.1.0']);
  });

  test('reaches its brokers', () => {
    const [map] = resources.filter(({ metadata }) => metadata.name.startsWith('twhin-kafka-'));
    expect(map?.['data']).toEqual({
      KAFKA_BROKERS: 'broker-1.example.com:9093,broker-2.example.com:9093',
    });
    const policy = resources.find(({ metadata }) => metadata.name === 'twhin-to-brokers');
    expect(JSON.stringify(policy?.['spec'])).toContain('"ipBlock":{"cidr":"192.0.2.0/24"}');
    for (const workload of all) {
      const refs = containersOf(workload).flatMap(({ envFrom }) =>
        envFrom.map((from) => from.configMapRef.name),
      );
      for (const name of refs) expect(name).toBe(map?.metadata.name);
    }
  });

  test('gives more resources to the larger graph and its standby, and lists standbys first', () => {
    const sets = all.filter(({ statefulSet }) => statefulSet !== undefined);
    const memory = sets.map((set) => [set.name, set.pod.containers[0]?.resources.limits.memory]);
    expect(memory).toEqual(sets.map((set) => [set.name, graphOf(set) === 'engagement' ? '8Gi' : '4Gi']));
    expect(sets.map(({ labels }) => labels['twhin-stream/role'])).toEqual([
      'standby',
      'standby',
      'leader',
      'leader',
    ]);
  });
});
