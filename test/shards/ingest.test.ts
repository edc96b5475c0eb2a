import { expect, test } from 'vitest';
import { type EntityKey, idOf } from '../../src/graph/entity.ts';
import { Counters } from '../../src/pipeline/counters.ts';
import { EdgeFilter } from '../../src/pipeline/reading/edge-filter.ts';
import { Ingest } from '../../src/pipeline/reading/ingest.ts';
import { Unwritten } from '../../src/pipeline/reading/unwritten.ts';
import { OpenBatch } from '../../src/pipeline/training/open-batch.ts';
import { EVENT_TOPICS } from '../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../topics/record.ts';
import { graph, indexOf, recordOf } from '../graph/graph-fixture.ts';
import { saidBy } from '../pipeline/training/trainer-fixture.ts';
import { exchangeOf, usersOf } from './exchange-fixture.ts';

const [[here], [one, two]] = [usersOf(0, 1, 2), usersOf(1, 2, 2)];

/** Ingest of shard 0 of two, which owns `here`, and trains edges from there. */
function ingestOf() {
  const index = indexOf(4);
  const { exchange } = exchangeOf({ index, shard: { index: 0, count: 2 } });
  const counters = new Counters();
  const ingest = new Ingest({
    ...{ store: graph(), unwritten: new Unwritten(), index, counters, erasedAt: new Map<string, number>() },
    ...{ limits: DEFAULT_LIMITS, neighbours: exchange, stored: new EdgeFilter() },
    topics: new Map(EVENT_TOPICS.map((topic) => [topic.name, topic])),
  });
  let batch = new OpenBatch();
  let offset = 0;
  const tell = async (topic: string, value: object) => {
    const record = {
      ...{ topic, partition: 0, offset: offset++, timestamp: Date.UTC(2030, 0), key: null },
      value: Buffer.from(JSON.stringify(value)),
    };
    const { reads, fetched } = await ingest.read([record]);
    for (const read of reads) ingest.apply(read, fetched, batch);
  };
  const edge = (follower: EntityKey, followed: EntityKey, at: number, action = 'follow') =>
    tell('follow', { followerId: idOf(follower), followedId: idOf(followed), action, at });
  const erase = (key: EntityKey, at: number) => tell('erasure', { entity: key, at });
  /** What the trainer gets: new entities, edges to train, edges removed, copies, and copies that others use. */
  const hand = () => {
    const { newTypes, trained, changed } = saidBy(batch.close());
    const removed = changed.filter((edge) => edge.startsWith('-'));
    const { copies, inUse } = exchange.hand(batch.edges).part.shard!;
    batch = new OpenBatch();
    const uses = [...inUse.rows].map((row, i) => [row, inUse.shards[i], inUse.wanted[i]]);
    return [newTypes.length, trained.length, removed.length, [...copies.rows], uses];
  };
  return { index, exchange, counters, edge, erase, hand };
}

test('an edge that another shard trains is counted, says that its own end is held there, and gives its far end no row', async () => {
  const { index, exchange, counters, edge, hand } = ingestOf();
  await edge(one!, here!, 1_000);
  await edge(two!, here!, 1_000);
  const row = index.find(here!)!;
  expect(hand()).toEqual([1, 0, 0, [], [[row, 1, 0]]]);
  expect([index.find(one!), index.size, counters.edges]).toEqual([undefined, 1, { follows: 2 }]);
  expect(exchange.head().shard).toMatchObject({ edges: {}, entities: { user: 1 } });
  expect(recordOf(index, row)).toMatchObject({ updates: 2, lastSeen: 1_000 });
});

test('a removal makes no row and no holder', async () => {
  const { index, edge, hand } = ingestOf();
  await edge(one!, here!, 1_000, 'unfollow');
  expect([index.size, hand()]).toEqual([0, [0, 0, 0, [], []]]);
  await edge(two!, here!, 2_000);
  hand();
  await edge(two!, here!, 3_000, 'unfollow');
  expect(hand()).toEqual([0, 0, 0, [], []]);
});

test('an edge that this shard trains has rows for both ends, of which the far one is a copy; its erasure reaches this trainer alone', async () => {
  const { index, exchange, edge, erase, hand } = ingestOf();
  await edge(here!, here!, 1_000);
  await edge(here!, one!, 1_000);
  await edge(one!, here!, 1_000);
  const [own, far] = [index.find(here!)!, index.find(one!)!];
  expect(hand()).toEqual([2, 2, 0, [far], [[own, 1, 0]]]);
  expect(exchange.head().shard).toMatchObject({ edges: { follows: 2 }, entities: { user: 1 } });
  await erase(one!, 2_000);
  expect(hand()).toEqual([0, 0, 1, [], []]);
  expect(exchange.head().shard).toMatchObject({ edges: { follows: 1 } });
});
