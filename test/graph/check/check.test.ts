import { beforeEach, describe, expect, test } from 'vitest';
import { checkStore } from '../../../src/graph/check/check.ts';
import { FINDINGS } from '../../../src/graph/check/findings.ts';
import type { GraphStore } from '../../../src/graph/graph-store.ts';
import { encodeHead, type Head } from '../../../src/graph/head.ts';
import { shardOf, trainingShard } from '../../../src/graph/shard.ts';
import { WriteBatch } from '../../../src/graph/store.ts';
import { graph, user } from '../graph-fixture.ts';
import { filled, HEAD_OF_FILLED, kinds, put } from './check-fixture.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
/** `user:a` in a key. */
const A = '000061';
const B = '000062';
/** Key of the first part of the outbox. */
const PART = 'u0000000000000001';
let store: GraphStore;
beforeEach(async () => {
  store = await filled();
});

const withHead = (change: Partial<Head>) => put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, ...change }));

/** The shard's part of a head; none of the store's entities falls into shard 1 of 256. */
const SHARD = { index: 1, count: 256, run: 'r', trained: 0, received: {} };

describe('a check', () => {
  test('reports no finding for an intact store, and counts its content', async () => {
    const report = await checkStore(store);
    expect(report).toEqual({
      head: HEAD_OF_FILLED,
      entities: { user: 2, tweet: 1 },
      edges: { follows: 2, likes: 1 },
      removed: 1,
      outbox: 1,
      nextRow: 7,
      findings: [],
    });
    expect((await checkStore(graph())).findings).toEqual([]);
  });

  test('misses the far end of an edge that the shard trains, and of no other', async () => {
    // The tweet has no row; the user belongs to the shard. Its shard trains the edge where the tweet's is in the next half of the circle.
    const homes = (count: number) => [shardOf('user:a', count), shardOf('tweet:t', count)] as const;
    const trains = (count: number) => trainingShard(...homes(count), count) === homes(count)[0];
    const cut = [2, 3, 4, 5, 6, 7].filter((count) => homes(count)[0] !== homes(count)[1]);
    const counts = [cut.find(trains)!, cut.find((count) => !trains(count))!];
    await put(store, 'n010074', undefined);
    await put(store, 'v00000006', undefined);
    const missing = async (count: number, end: 0 | 1) => {
      const shard = { ...SHARD, count, index: homes(count)[end], edges: {}, entities: {} };
      await withHead({ entities: { user: 2 }, shard });
      const { findings } = await checkStore(store);
      return findings.find(({ kind }) => kind === 'end-missing')?.samples;
    };
    const samples = ['tweet:t of user:a likes tweet:t'];
    expect(await missing(counts[0]!, 0)).toEqual(samples);
    expect(await missing(counts[1]!, 0)).toBeUndefined();
    expect(await missing(counts[1]!, 1)).toEqual(samples);
  });

  test('reports every kind of finding, with places', async () => {
    const half = Buffer.alloc(8);
    half.writeDoubleLE(Number.NaN);
    const row = (change: (value: Buffer) => void) => async () => {
      const [value] = await store.entries.getMany([store.layout.vectorKey(4)]);
      const changed = Buffer.from(value ?? []);
      change(changed);
      await put(store, 'v00000004', changed);
    };
    const cases: readonly (readonly [string, () => Promise<void>, ...(readonly [string, RegExp])[]])[] = [
      ['no head', () => put(store, 'm', undefined), ['head-missing', /entries/]],
      ['a head of nonsense', () => put(store, 'm', hex('7b')), ['head-damaged', /JSON/]],
      ['a key of no kind', () => put(store, 'q61', hex('')), ['key-unknown', /^7161$/]],
      ["a key like the head's", () => put(store, 'm61', hex('')), ['key-unknown', /^6d61$/]],
      ['a key above all', () => put(store, 'ffff', hex('')), ['key-unknown', /^ffff$/]],
      ['a cut edge key', () => put(store, `e${A}`, Buffer.alloc(9)), ['entry-damaged', /edge 65000061/]],
      ['a cut reverse key', () => put(store, `i${A}`, Buffer.alloc(9)), ['entry-damaged', /edge 69000061/]],
      ['a cut entity key', () => put(store, 'n0005', Buffer.alloc(24)), ['entry-damaged', /entity 6e0005/]],
      ['a short entity', () => put(store, `n000063`, Buffer.alloc(23)), ['entry-damaged', /entity 6e000063/]],
      ['a cut vector key', () => put(store, 'v0000', Buffer.alloc(24)), ['entry-damaged', /vector 760000/]],
      ['a cut part of the outbox', () => put(store, PART, hex('00ff61')), ['entry-damaged', /outbox 75/]],
      ['an empty part of the outbox', () => put(store, PART, hex('')), ['entry-damaged', /outbox 75/]],
      ['a cut part key', () => put(store, 'u01', hex('000061')), ['entry-damaged', /outbox 7501/]],
      [
        'an erasure of no time',
        () => put(store, `x${'ab'.repeat(32)}`, half),
        ['entry-damaged', /erasure 78abab/],
      ],
      ['an erasure of no hash', () => put(store, 'xab', Buffer.alloc(8)), ['entry-damaged', /erasure 78ab/]],
      [
        'an entity lost',
        () => put(store, `n${B}`, undefined),
        ['entities-fewer', /user: 1, counted 2/],
        ['vector-orphan', /row 5/],
        ['end-missing', /user:b of user:a follows user:b/],
      ],
      [
        'an entity more',
        () => put(store, 'n000063', entityBytes(6)),
        ['entities-more', /user: 3, counted 2/],
        ['row-shared', /user:c on row 6|tweet:t on row 6/],
      ],
      [
        "an entity on a relation's row",
        () => put(store, `n${A}`, entityBytes(3)),
        ['row-shared', /user:a on row 3/],
        ['vector-orphan', /row 4/],
      ],
      [
        'entities and edges of other shards alone',
        () => withHead({ shard: { ...SHARD, index: 1, edges: {}, entities: {} } }),
        ['edge-strange', /user:a follows user:b/],
        ['vector-damaged', /row 4: the accumulator is \d/],
      ],
      [
        'more of its own than the head counts',
        () => withHead({ shard: { ...SHARD, index: 0, count: 1, edges: {}, entities: {} } }),
        ['entities-more', /the shard's own user: 2, counted 0/],
        ['edges-more', /the shard's own follows: 2, counted 0/],
      ],
      ['rows not handed out', () => withHead({ rows: 6 }), ['row-beyond', /tweet:t on row 6 of 6/]],
      ['a vector lost', () => put(store, 'v00000004', undefined), ['vector-missing', /user:a/]],
      [
        "a relation's vector lost",
        () => put(store, 'v00000003', undefined),
        ['vector-missing', /relation likes/],
      ],
      ['a vector of none', () => put(store, 'v00000009', Buffer.alloc(24)), ['vector-orphan', /row 9/]],
      [
        'a short vector',
        () => put(store, 'v00000004', Buffer.alloc(20)),
        ['vector-damaged', /row 4: 20 bytes, expected 24/],
      ],
      [
        'a number that is none',
        row((value) => value.writeFloatLE(Number.NaN, 4)),
        ['vector-damaged', /number 1 is NaN/],
      ],
      [
        'an infinite number',
        row((value) => value.writeFloatLE(Number.NEGATIVE_INFINITY, 0)),
        ['vector-damaged', /number 0 is -Inf/],
      ],
      [
        'a negative accumulator',
        row((value) => value.writeFloatLE(-1, 8)),
        ['vector-damaged', /accumulator is -1/],
      ],
      ['a negative drift', row((value) => value.writeFloatLE(-1, 12)), ['vector-damaged', /drift is -1/]],
      [
        'a step to come',
        row((value) => value.writeDoubleLE(8, 16)),
        ['vector-damaged', /step 8, the head is at 7/],
      ],
      ['half a step', row((value) => value.writeDoubleLE(0.5, 16)), ['vector-damaged', /step 0.5/]],
      [
        'a reverse entry lost',
        () => put(store, `i${B}00${A}`, undefined),
        ['reverse-missing', /user:a follows user:b/],
      ],
      [
        'a reverse entry of another time',
        () => put(store, `i${B}00${A}`, Buffer.alloc(9)),
        ['reverse-differs', /user:a follows user:b/],
      ],
      [
        'an edge lost',
        () => put(store, `e${A}00${B}`, undefined),
        ['edges-fewer', /follows: 1, counted 2/],
        ['reverse-extra', /user:a follows user:b/],
      ],
      [
        'an edge of no time',
        () => put(store, `e${A}00${B}`, Buffer.concat([half, hex('00')])),
        ['entry-damaged', /edge 65/],
        ['edges-fewer', /follows/],
      ],
      [
        'an edge neither live nor removed',
        () => put(store, `e${B}00${A}`, Buffer.concat([Buffer.alloc(8), hex('02')])),
        ['entry-damaged', /edge 65/],
        ['edges-fewer', /follows/],
      ],
      [
        'edges not counted',
        () => withHead({ edges: { follows: 1, likes: 1 } }),
        ['edges-more', /follows: 2, counted 1/],
      ],
      ['an outbox counted higher', () => withHead({ outbox: 3 }), ['outbox-fewer', /1, counted 3/]],
      [
        'a part of the outbox lost, whose names another holds',
        () => withHead({ outboxParts: 2 }),
        ['outbox-fewer', /parts of the outbox: 1, counted 2/],
      ],
      ['a partition of no number', () => withHead({ offsets: { t: { x: 1 } } }), ['offset-damaged', /t x/]],
    ];
    const seen = new Set<string>();
    for (const [what, damage, ...expected] of cases) {
      store = await filled();
      await damage();
      const { findings } = await checkStore(store);
      const found = Object.fromEntries(findings.map(({ kind, samples }) => [kind, samples.join('; ')]));
      for (const [kind, place] of expected) {
        seen.add(kind);
        expect([what, kind, found[kind]]).toEqual([what, kind, expect.stringMatching(place)]);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(FINDINGS).sort());
  });

  test('accepts a removed edge with unknown ends, and erased entities in the outbox', async () => {
    const gone = { lhs: user('x'), relation: 'follows', rhs: user('y') };
    const value = store.layout.encodeEdge({ at: 1, removed: true });
    const batch = new WriteBatch();
    batch.put(store.layout.edgeKey(gone), value);
    batch.put(store.layout.reverseKey(gone), value);
    batch.put(store.layout.outboxPartKey(1), store.layout.encodeNames([user('erased')]));
    await store.entries.write(batch);
    const report = await checkStore(store);
    expect([report.removed, report.findings]).toEqual([2, []]);
  });

  test('accepts an outbox that holds more names than wait', async () => {
    // The state after a kill: a and b are acknowledged, c of the same part is not; d moved twice.
    const { layout, entries } = store;
    const batch = new WriteBatch();
    batch.put(layout.outboxPartKey(1), layout.encodeNames([user('a'), user('b'), user('c'), user('d')]));
    batch.put(layout.outboxPartKey(2), layout.encodeNames([user('d')]));
    await entries.write(batch);
    await withHead({ outbox: 2, outboxParts: 2 });
    const report = await checkStore(store);
    expect([report.outbox, report.findings]).toEqual([5, []]);
  });

  test('accepts an untrained entity without a vector', async () => {
    await put(store, 'v00000006', undefined);
    await put(store, 'n010074', entityBytes(6));
    expect(kinds(await checkStore(store))).toEqual([]);
  });

  test('counts every place and names the first three', async () => {
    for (let i = 0; i < 9; i++) await put(store, `v0000010${i}`, Buffer.alloc(24));
    const [finding] = (await checkStore(store)).findings;
    expect(finding).toEqual({ kind: 'vector-orphan', count: 9, samples: ['row 256', 'row 257', 'row 258'] });
  });
});

/** Not trained. */
function entityBytes(row: number): Buffer {
  const value = Buffer.alloc(24);
  value.writeUInt32LE(row);
  return value;
}
