import { expect, inject, test } from 'vitest';
import { REASONS } from '../../topics/reasons.ts';
import { badRecords, goodEvent } from '../fixtures/bad-records.ts';
import { deployed } from './deployed.ts';
import { produceRaw, type RawRecord } from './raw-producer.ts';
import { lagOf } from './topic-ends.ts';
import { readTopic } from './topic-reader.ts';
import { SMALL } from './twhin.ts';

const TOPICS = ['engagement', 'follow', 'ad-click', 'search', 'erasure', 'gift'];
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  engagement: ['engagement', 'ad-click', 'search', 'erasure'],
  follow: ['follow', 'ad-click', 'erasure'],
  gifts: ['gift'],
};
const GOOD = 10_000;
const BAD = 2_000;

/** A topic whose own code fails on some events: the one reason that TwHIN's own topics never give. */
const WITH_GIFTS = `${SMALL}
  entityTypes: ['item'],
  relations: [{ name: 'gives', lhs: 'user', rhs: 'item' }],
  topics: [k.defineTopic({
    name: 'gift',
    schema: k.z.object({ userId: k.idField, itemId: k.idField, at: k.instantField, fail: k.z.boolean().optional() }),
    key: ({ userId }) => userId,
    changes: ({ userId, itemId, at, fail }) => {
      if (fail) throw new Error('as asked');
      return [{ lhs: k.entityKey('user', userId), relation: 'gives', rhs: k.entityKey('item', itemId), at, removed: false }];
    },
  })],
  graphs: { engagement: {}, follow: {}, gifts: { topics: ['gift'], relations: ['gives'], erasure: false } },`;

test('10,000 good and 2,000 bad records of every kind: each bad one a dead letter of each graph that reads it, with its reason', async () => {
  const brokers = inject('brokers');
  const here = await deployed(WITH_GIFTS);
  const full = (name: string) => here.topic(name);
  const at = Date.now();
  const bad = badRecords(TOPICS, BAD, at);
  expect(new Set(bad.map(({ code }) => code))).toEqual(new Set(REASONS));

  // Every sixth is bad; its number travels in a header, which no one may lose.
  const good = Array.from({ length: GOOD }, (_, n) => {
    const topic = TOPICS[n % TOPICS.length] ?? '';
    return { topic, key: `k${n}`, value: JSON.stringify(goodEvent(topic, n, at)), trace: `good-${n}` };
  });
  const traced = bad.map((record, n) => ({ ...record, trace: `bad-${n}` }));
  const mixed = good.flatMap((record, n) =>
    n % 5 === 4 ? [record, ...traced.slice((n - 4) / 5, (n + 1) / 5)] : [record],
  );
  const sent: RawRecord[] = mixed.map(({ topic, key, value, trace }) => ({
    ...{ topic: full(topic), key, value, headers: { trace }, timestamp: at },
  }));
  expect(sent).toHaveLength(GOOD + BAD);
  await here.ok(['topics', 'apply']);
  await produceRaw(brokers, sent);
  const lettersOf = async (...graphs: string[]) => {
    const found = await readTopic(brokers, full('dead-letter'));
    const expected = traced.flatMap(({ topic, trace }) =>
      graphs.flatMap((graph) => (READ_BY[graph]?.includes(topic) ? [`${graph} ${trace}`] : [])),
    );
    const toldApart = found.map(({ headers }) => `${headers['graph']} ${headers['trace']}`);
    expect(toldApart.toSorted()).toEqual(expected.toSorted());
    return found;
  };
  // A graph that runs alone writes the letters of all of its topics, and another its own of the same records later.
  await here.ok(['run', '--graph', 'follow', '--until-caught-up']);
  await lettersOf('follow');
  await here.ok(['run', '--until-caught-up']);
  const letters = await lettersOf(...Object.keys(READ_BY));
  const records = (await Promise.all(TOPICS.map((name) => readTopic(brokers, full(name))))).flat();
  const source = new Map(
    records.map((record) => [`${record.topic}/${record.partition}/${record.offset}`, record]),
  );
  const wrong: unknown[] = [];
  for (const { key, value, headers } of letters) {
    const place = `${headers['source-topic']}/${headers['source-partition']}/${headers['source-offset']}`;
    const original = source.get(place);
    const expected = bad[Number(headers['trace']?.slice('bad-'.length))];
    const right =
      expected !== undefined &&
      original !== undefined &&
      headers['trace'] === original.headers['trace'] &&
      headers['code'] === expected.code &&
      (headers['reason'] ?? '').length > 10 &&
      key === original.key &&
      key === expected.key &&
      sameBytes(value, expected.value === null ? null : Buffer.from(expected.value)) &&
      sameBytes(value, original.value);
    if (!right) wrong.push({ key, headers, expected });
  }
  expect(wrong.slice(0, 3)).toEqual([]);
  const seconds = letters.find(({ headers }) => headers['code'] === 'looks-like-seconds');
  expect(seconds?.headers['reason']).toContain('looks like seconds');

  const stats = Object(await here.json(['stats'])).graphs;
  const count = (of: readonly { topic: string }[], topics: readonly string[]) =>
    of.filter(({ topic }) => topics.includes(topic)).length;
  for (const [graph, topics] of Object.entries(READ_BY)) {
    expect(stats[graph].events).toEqual({
      consumed: count(good, topics) + count(bad, topics),
      rejected: count(bad, topics),
      duplicate: 0,
      late: 0,
    });
    expect(await lagOf(brokers, `${here.prefix}${graph}`, topics.map(full))).toBe(0);
  }
  const clicks = { clicks: count(good, ['ad-click']), promotes: count(good, ['ad-click']) };
  const searches = count(good, ['search']);
  expect(stats.engagement.edges).toMatchObject({ likes: count(good, ['engagement']), searches, ...clicks });
  expect(stats.follow.edges).toEqual({ follows: count(good, ['follow']), ...clicks });
  expect(stats.gifts.edges).toEqual({ gives: count(good, ['gift']) });
});

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}
