import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registerCodecs } from '../kafka/kafkajs-codecs.ts';
import { ownBroker } from '../kafka/own-broker.ts';
import { deployed } from './deployed.ts';
import { until } from './twhin.ts';

const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs;
const DAY = 86_400_000;
const HOURLY = 3_600_000;
const EVENTS = 300;

/** A client that shares nothing with the one under test. */
let kafka: InstanceType<typeof Kafka>;
let admin: ReturnType<typeof kafka.admin>;
const own = ownBroker({
  env: { ...process.env, KAFKA_BROKERS: '' },
  // A retention that was lowered deletes within a second, so that the counts of records tell.
  settings: { 'log.retention.check.interval.ms': '300', 'log.initial.task.delay.ms': '300' },
});
beforeAll(async () => {
  registerCodecs();
  kafka = new Kafka({ brokers: [own.broker.brokers], logLevel: logLevel.NOTHING });
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin?.disconnect());

const SHOP = `
  model: { dim: 16 }, limits: { maxEntities: 100_000, maxKnownEdges: 1_000_000 },
  entityTypes: ['customer', 'product'],
  relations: [{ name: 'buys', lhs: 'customer', rhs: 'product' }, { name: 'views', lhs: 'customer', rhs: 'product' }],
  topics: [
    [{ topic: 'shop.orders.v2' }, 'buys'],
    [{ name: 'views', topic: 'web.views' }, 'views'],
    [{ name: 'wishes', topic: 'crm.wishlist' }, 'views'],
    [{ name: 'baskets' }, 'buys'],
  ].map(([names, relation]) => k.defineTopic({
    ...names,
    schema: k.z.object({ customer: k.idField, product: k.idField, at: k.instantField }),
    key: ({ customer }) => customer,
    changes: ({ customer, product, at }) => [
      { lhs: k.entityKey('customer', customer), relation, rhs: k.entityKey('product', product), at, removed: false },
    ],
  })),
  graphs: { shop: { topics: ['shop.orders.v2', 'views', 'wishes', 'baskets', 'erasure'], relations: ['buys', 'views'] } },`;

/** Topics as an operator has them: names, partitions and settings of their own, and records of months ago. */
const existing = (prefix: string) => [
  {
    topic: 'shop.orders.v2',
    numPartitions: 12,
    configs: { 'retention.ms': String(400 * DAY), 'compression.type': 'zstd', 'segment.bytes': '1048576' },
  },
  { topic: 'web.views', numPartitions: 2, configs: { 'retention.ms': '-1', 'retention.bytes': '-1' } },
  { topic: 'crm.wishlist', numPartitions: 3, configs: { 'cleanup.policy': 'compact' } },
  {
    topic: `${prefix}baskets`,
    numPartitions: 12,
    configs: { 'retention.ms': '-1', 'compression.type': 'zstd' },
  },
  { topic: `${prefix}erasure`, numPartitions: 1, configs: { 'cleanup.policy': 'compact' } },
];

async function makeTopics(prefix: string): Promise<string[]> {
  const topics = existing(prefix);
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map(({ configs, ...topic }) => ({
      ...topic,
      configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
    })),
  });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const since = Date.now() - 350 * DAY;
  for (const { topic } of topics.filter((each) => !each.topic.endsWith('erasure'))) {
    const messages = Array.from({ length: EVENTS }, (_, i) => {
      const at = since + i * HOURLY;
      const event = { customer: `c${i}`, product: `${topic}-${i % 40}`, at };
      return { key: event.customer, value: JSON.stringify(event), timestamp: String(at) };
    });
    await producer.send({ topic, messages, compression: CompressionTypes.ZSTD });
  }
  await producer.disconnect();
  return topics.map(({ topic }) => topic);
}

/** All that an operator sees of topics: partitions, the records that they hold, and every setting. */
async function seenByOthers(topics: readonly string[]) {
  const { topics: described } = await admin.fetchTopicMetadata({ topics: [...topics] });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  const seen: Record<string, unknown> = {};
  for (const topic of topics) {
    const offsets = await admin.fetchTopicOffsets(topic);
    seen[topic] = {
      partitions: described.find(({ name }) => name === topic)?.partitions.length,
      offsets: Object.fromEntries(
        offsets.map(({ partition, low, high }) => [partition, `${low} to ${high}`]),
      ),
      configs: resources
        .find(({ resourceName }) => resourceName === topic)
        ?.configEntries.map(
          ({ configName, configValue, isDefault }) => `${configName}=${configValue} ${isDefault}`,
        )
        .sort(),
    };
  }
  return seen;
}

test('topics that exist are the same before and after every command', async () => {
  const here = await deployed(SHOP, own.broker.brokers);
  const topics = await makeTopics(here.prefix);
  const before = await seenByOthers(topics);
  const unharmedBy = async (command: string, work: () => Promise<unknown>) => {
    await work();
    expect({ command, ...(await seenByOthers(topics)) }).toEqual({ command, ...before });
  };
  await unharmedBy('doctor', () => here.end(['doctor']));
  await unharmedBy('topics plan', () => here.ok(['topics', 'plan']));
  await unharmedBy('topics apply', () => here.ok(['topics', 'apply']));
  await unharmedBy('topics apply, again', () => here.ok(['topics', 'apply']));
  await unharmedBy('run', async () => {
    const { code, stderr } = await here.end([
      'run',
      '--create-topics',
      '--graph',
      'shop',
      '--until-caught-up',
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain(
      'Events are kept for 400 days on shop.orders.v2; as the newest of each key on crm.wishlist. A store that',
    );
  });
  await unharmedBy('serve', async () => {
    const serving = here.start(['serve', '--graph', 'shop', '--http', '127.0.0.1:0']);
    const url = await serving.url();
    await until('the vectors are read', async () => (await fetch(`${url}/readyz`)).status === 200);
    await serving.stop();
  });
  await unharmedBy('replay', () => here.ok(['replay', '--graph', 'shop', '--into', 'shadow']));
  await unharmedBy('restore', async () => {
    await here.ok(['backup', join(here.folder, 'backup'), '--graph', 'shop']);
    const elsewhere = here.elsewhere({ TWHIN_STATE: join(here.folder, 'restored') });
    await elsewhere.ok(['restore', join(here.folder, 'backup'), '--graph', 'shop']);
    await elsewhere.ok(['run', '--graph', 'shop', '--until-caught-up']);
  });

  // All was read, and what was made beside is ours alone.
  const { graphs } = Object(await here.json(['stats']));
  expect(Object.keys(graphs)).toEqual(['shop']);
  expect(graphs.shop).toMatchObject({
    events: { consumed: 4 * EVENTS, rejected: 0 },
    edges: { buys: 2 * EVENTS, views: 2 * EVENTS },
  });
  const made = (await admin.listTopics()).filter(
    (topic) => !topic.startsWith('__') && !topics.includes(topic),
  );
  expect(made.sort()).toEqual(
    ['dead-letter', 'embeddings.shop', 'model.shop'].map((name) => here.topic(name)),
  );
  const { groups } = await admin.listGroups();
  const ours = groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(here.prefix));
  expect(ours).toEqual([here.topic('shop')]);
});
