import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { generated } from '../../tools/k8s/generated.ts';
import { ofKind, parseDocuments, type Resource, ROOT, render, SKIPPED } from './rendered.ts';
import { on, READS, rightsOf, topicSchema, userSchema } from './strimzi.ts';

const EVENTS = on('topic', 'engagement follow ad-click search erasure', READS);
const WRITTEN = 'embeddings.engagement embeddings.follow model.engagement model.follow';
/** The rights that each kind of process needs, written by hand from its reads, writes and leadership. */
const RIGHTS = {
  ...EVENTS,
  ...on('topic', WRITTEN, `${READS} Write`),
  ...on('topic', 'dead-letter', 'Describe DescribeConfigs Write'),
  ...on('group', 'engagement follow', 'Describe Read'),
  ...on('transactionalId', 'engagement follow', 'Describe Write'),
};
/** `twhin serve` reads what the updaters read and write, and writes nothing. */
const SERVE_RIGHTS = { ...EVENTS, ...on('topic', WRITTEN, READS) };
/** A whole graph looks whether there are topics between shards. */
const ALL_RIGHTS = { ...RIGHTS, ...on('topic', 'exchange.engagement exchange.follow', 'Describe') };
/** Topics that a graph reads or writes. Dead letters are kept for a month in one partition. */
const TOPICS = Object.keys(RIGHTS).filter((name) => name.startsWith('topic '));

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the generated manifests', async () => {
  const files = await generated(ROOT);
  const resources: Resource[] = [...files.values()].flatMap(parseDocuments);

  test.each([...files.keys()])('%s is as its sources say; otherwise: npm run k8s', (path) => {
    expect(read(path)).toBe(files.get(path));
  });

  test('have a resource for each declared topic, with a valid name', () => {
    const topics = ofKind(resources, 'KafkaTopic', topicSchema);
    expect(topics.map(({ spec }) => `topic ${spec.topicName}`).sort()).toEqual([...TOPICS].sort());
    const policies = topics.map(({ spec }) => [spec.topicName, spec.config['cleanup.policy']]);
    for (const [name, policy] of policies) {
      expect([name, policy]).toEqual([name, /embeddings|model/.test(name ?? '') ? 'compact' : 'delete']);
    }
    expect(topics.find(({ spec }) => spec.topicName === 'twhin.dead-letter')?.spec.partitions).toBe(1);
  });

  test.each([
    ['twhin', ALL_RIGHTS],
    ['twhin-serve', SERVE_RIGHTS],
  ])('have a user %s with exactly the needed rights', (name, needed) => {
    expect(rightsOf(resources, name)).toEqual(needed);
  });

  test('have one rule with all rules of Prometheus’s own files', () => {
    const groups = ['recording', 'alerts'].flatMap((file) => parse(read(`monitoring/${file}.yaml`)).groups);
    const [apiVersion, kind] = ['monitoring.coreos.com/v1', 'PrometheusRule'];
    expect(resources.filter((each) => each.kind === kind)).toEqual([
      { apiVersion, kind, metadata: expect.objectContaining({ name: 'twhin-stream' }), spec: { groups } },
    ]);
    const names = groups.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe.skipIf(SKIPPED)('k8s/strimzi', () => {
  const resources = SKIPPED ? [] : render('k8s/strimzi');

  test('puts everything into the namespace kafka, with each user’s password from a Secret of its own', () => {
    expect(resources.length).toBe(TOPICS.length + 2);
    expect(new Set(resources.map((each) => each.metadata.namespace))).toEqual(new Set(['kafka']));
    const users = ofKind(resources, 'KafkaUser', userSchema);
    const secrets = users.map(({ metadata, spec }) => [
      metadata.name,
      spec.authentication.password.valueFrom.secretKeyRef,
    ]);
    expect(Object.fromEntries(secrets)).toEqual({
      twhin: { name: 'twhin-kafka', key: 'password' },
      'twhin-serve': { name: 'twhin-serve-kafka', key: 'password' },
    });
  });
});
