import { describe, expect, test } from 'vitest';
import { Layout } from '../../../src/graph/layout.ts';
import { Counters } from '../../../src/pipeline/counters.ts';
import { noNeighbours } from '../../../src/pipeline/neighbours.ts';
import { EdgeFilter } from '../../../src/pipeline/reading/edge-filter.ts';
import { Ingest } from '../../../src/pipeline/reading/ingest.ts';
import { Unwritten } from '../../../src/pipeline/reading/unwritten.ts';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import { EVENT_TOPICS } from '../../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../../topics/record.ts';
import { commitOf, entity, graph, indexOf, MODEL, recordOf, user } from '../../graph/graph-fixture.ts';
import { saidBy } from '../training/trainer-fixture.ts';

const layout = new Layout(MODEL);
const A = user('a');
const B = user('b');
const C = user('c');

/** A store where a follows b at 1,000 and c follows a at 3,000: rows 4, 5, 6. */
async function setUp() {
  const store = graph();
  const index = indexOf(
    4,
    [A, B, C].map((key, i) => entity(key, 4 + i, { updates: 3 })),
  );
  const edge = (lhs: typeof A, rhs: typeof A, at: number, removed = false) => ({
    lhs,
    relation: 'follows',
    rhs,
    at,
    removed,
  });
  await store.commit(
    commitOf({ edges: [edge(A, B, 1000), edge(C, A, 3000), edge(B, A, 900, true)], entities: [] }),
  );
  const counters = new Counters();
  counters.edges['follows'] = 2;
  const unwritten = new Unwritten();
  const ingest = new Ingest({
    store,
    unwritten,
    index,
    counters,
    erasedAt: new Map<string, number>(),
    neighbours: noNeighbours(),
    stored: new EdgeFilter(),
    limits: DEFAULT_LIMITS,
    topics: new Map(EVENT_TOPICS.map((topic) => [topic.name, topic])),
  });
  const open = { batch: new OpenBatch(), commit: unwritten.open };
  let offset = 0;
  const tell = async (...events: (readonly [topic: string, value: object])[]) => {
    const records = events.map(([topic, value]) => ({
      topic,
      partition: 0,
      offset: offset++,
      timestamp: Date.UTC(2030, 0),
      key: null,
      value: Buffer.from(JSON.stringify(value)),
    }));
    const { reads, fetched } = await ingest.read(records);
    for (const read of reads) ingest.apply(read, fetched, open.batch);
  };
  return { index, counters, unwritten, open, tell };
}

const idOf = (lhs: typeof A, rhs: typeof A) => layout.edgeId({ lhs, relation: 'follows', rhs });
const follow = (followerId: string, followedId: string, at: number) =>
  ['follow', { followerId, followedId, action: 'follow', at }] as const;
const erasure = (entityKey: string, at: number) => ['erasure', { entity: entityKey, at }] as const;

describe('erase', () => {
  test('an entity with no newer edge goes: row, edges and removals, and its name after them', async () => {
    const { index, counters, open, tell, unwritten } = await setUp();
    await tell(follow('a', 'c', 2000), erasure('user:a', 3000));
    expect(index.find(A)).toBeUndefined();
    expect([...open.commit.erasedEntities]).toEqual([A]);
    expect([...open.commit.erasures]).toEqual([[A, 3000]]);
    const { edges } = open.commit;
    expect([...edges.keys()].sort()).toEqual([idOf(A, B), idOf(A, C), idOf(B, A), idOf(C, A)].sort());
    expect(new Set(edges.values())).toEqual(new Set([null]));
    expect([...open.commit.touched]).toEqual([6]);
    const { trained, changed, ...rows } = saidBy(open.batch.close());
    expect([trained, rows]).toMatchObject([[], { dropped: [4], reset: [] }]);
    // The new edge too is live no more.
    expect(changed.sort()).toEqual(['-4 0 5', '-4 0 6', '-6 0 4', '4 0 6']);
    expect([counters.edges['follows'], counters.watermark]).toEqual([0, 3000]);
    expect(unwritten.get(idOf(A, B))).toBeNull();
  });

  test('an entity with a newer live edge stays, and starts again', async () => {
    const { index, counters, open, tell } = await setUp();
    await tell(follow('a', 'c', 2000), erasure('user:a', 2500), follow('b', 'c', 2600));
    expect(recordOf(index, 4)).toEqual({ key: A, row: 4, updates: 0, firstSeen: 2500, lastSeen: 2500 });
    expect([open.commit.erasedEntities.size, open.commit.touched.has(4)]).toEqual([0, true]);
    const { trained, changed, ...rows } = saidBy(open.batch.close());
    // What a was to be trained on is gone; what others are is not.
    expect([trained, rows]).toMatchObject([['5 0 6'], { dropped: [], reset: [4] }]);
    expect(changed).toEqual(['4 0 6', '-4 0 5', '-4 0 6', '5 0 6']);
    // c follows a, and b follows c
    expect(counters.edges['follows']).toBe(2);
  });

  test('an entity erased, named again and erased once more leaves both rows behind', async () => {
    const { index, open, tell } = await setUp();
    await tell(erasure('user:a', 3000), follow('a', 'b', 4000), erasure('user:a', 5000));
    expect([...open.commit.erasedEntities]).toEqual([A]);
    await tell(follow('a', 'b', 6000));
    expect(index.find(A)).toBe(8);
  });

  test('an erasure again is a duplicate, an older one late; an unheard-of entity is remembered as erased', async () => {
    const { counters, open, tell, index } = await setUp();
    await tell(erasure('user:a', 3000), erasure('user:a', 3000), erasure('user:a', 2999));
    expect([counters.events.duplicate, counters.events.late]).toEqual([1, 1]);
    await tell(erasure('user:new', 7000), follow('new', 'b', 7000), follow('b', 'new', 6000));
    expect(open.commit.erasures.get(user('new'))).toBe(7000);
    expect([counters.events.late, index.find(user('new'))]).toEqual([3, undefined]);
  });

  test('a type that the graph does not hold is remembered, and touches nothing', async () => {
    const { open, tell, counters } = await setUp();
    await tell(erasure('ad:1', 3000));
    expect([open.commit.erasures.size, open.commit.edges.size, open.batch.empty]).toEqual([1, 0, true]);
    expect(counters.events.consumed).toBe(1);
  });
});
