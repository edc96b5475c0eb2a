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
    const zeros = (bytes: number) => Buffer.alloc(bytes);
    const puts = (key: string, value?: Buffer) => () => put(store, key, value);
    const heads = (change: Partial<Head>) => () => withHead(change);
    const ofShard = (index: number, count: number) =>
      heads({ shard: { ...SHARD, index, count, edges: {}, entities: {} } });
    const float = (value: number, at: number) => row((bytes) => bytes.writeFloatLE(value, at));
    const step = (value: number) => row((bytes) => bytes.writeDoubleLE(value, 16));
    /** A damage, and each finding as `kind: place`, the place as a pattern. */
    const cases: readonly (readonly [() => Promise<void>, ...string[]])[] = [
      [puts('m'), 'head-missing: entries'],
      [puts('m', hex('7b')), 'head-damaged: JSON'],
      // Of no kind, like the head's, and above all.
      [puts('q61', hex('')), 'key-unknown: ^7161$'],
      [puts('m61', hex('')), 'key-unknown: ^6d61$'],
      [puts('ffff', hex('')), 'key-unknown: ^ffff$'],
      // Keys and values that are cut.
      [puts(`e${A}`, zeros(9)), 'entry-damaged: edge 65000061'],
      [puts(`i${A}`, zeros(9)), 'entry-damaged: edge 69000061'],
      [puts('n0005', zeros(24)), 'entry-damaged: entity 6e0005'],
      [puts('n000063', zeros(23)), 'entry-damaged: entity 6e000063'],
      [puts('v0000', zeros(24)), 'entry-damaged: vector 760000'],
      [puts(PART, hex('00ff61')), 'entry-damaged: outbox 75'],
      [puts(PART, hex('')), 'entry-damaged: outbox 75'],
      [puts('u01', hex('000061')), 'entry-damaged: outbox 7501'],
      // An erasure of no time, and one of no hash.
      [puts(`x${'ab'.repeat(32)}`, half), 'entry-damaged: erasure 78abab'],
      [puts('xab', zeros(8)), 'entry-damaged: erasure 78ab'],
      // An entity lost, one more, and one on a relation's row.
      [
        puts(`n${B}`),
        ...['entities-fewer: user: 1, counted 2', 'vector-orphan: row 5'],
        'end-missing: user:b of user:a follows user:b',
      ],
      [
        puts('n000063', entityBytes(6)),
        ...['entities-more: user: 3, counted 2', 'row-shared: user:c on row 6|tweet:t on row 6'],
      ],
      [puts(`n${A}`, entityBytes(3)), 'row-shared: user:a on row 3', 'vector-orphan: row 4'],
      // Entities and edges of other shards alone, and more of its own than the head counts.
      [
        ofShard(1, 256),
        ...['edge-strange: user:a follows user:b', 'vector-damaged: row 4: the accumulator is \\d'],
      ],
      [
        ofShard(0, 1),
        "entities-more: the shard's own user: 2, counted 0",
        "edges-more: the shard's own follows: 2, counted 0",
      ],
      [heads({ rows: 6 }), 'row-beyond: tweet:t on row 6 of 6'],
      // Vectors that are lost, of no entity, short, of no numbers, negative, of a step to come.
      [puts('v00000004'), 'vector-missing: user:a'],
      [puts('v00000003'), 'vector-missing: relation likes'],
      [puts('v00000009', zeros(24)), 'vector-orphan: row 9'],
      [puts('v00000004', zeros(20)), 'vector-damaged: row 4: 20 bytes, expected 24'],
      [float(Number.NaN, 4), 'vector-damaged: number 1 is NaN'],
      [float(Number.NEGATIVE_INFINITY, 0), 'vector-damaged: number 0 is -Inf'],
      [float(-1, 8), 'vector-damaged: accumulator is -1'],
      [float(-1, 12), 'vector-damaged: drift is -1'],
      [step(8), 'vector-damaged: step 8, the head is at 7'],
      [step(0.5), 'vector-damaged: step 0.5'],
      // A reverse entry lost, and one of another time.
      [puts(`i${B}00${A}`), 'reverse-missing: user:a follows user:b'],
      [puts(`i${B}00${A}`, zeros(9)), 'reverse-differs: user:a follows user:b'],
      // An edge lost, one of no time, one neither live nor removed, and edges not counted.
      [
        puts(`e${A}00${B}`),
        ...['edges-fewer: follows: 1, counted 2', 'reverse-extra: user:a follows user:b'],
      ],
      [
        puts(`e${A}00${B}`, Buffer.concat([half, hex('00')])),
        ...['entry-damaged: edge 65', 'edges-fewer: follows'],
      ],
      [
        puts(`e${B}00${A}`, Buffer.concat([zeros(8), hex('02')])),
        ...['entry-damaged: edge 65', 'edges-fewer: follows'],
      ],
      [heads({ edges: { follows: 1, likes: 1 } }), 'edges-more: follows: 2, counted 1'],
      // An outbox counted higher, by a part lost whose names another holds, and an offset of no number.
      [heads({ outbox: 3 }), 'outbox-fewer: 1, counted 3'],
      [heads({ outboxParts: 2 }), 'outbox-fewer: parts of the outbox: 1, counted 2'],
      [heads({ offsets: { t: { x: 1 } } }), 'offset-damaged: t x'],
    ];
    const seen = new Set<string>();
    for (const [damage, ...expected] of cases) {
      store = await filled();
      await damage();
      const { findings } = await checkStore(store);
      const found = Object.fromEntries(findings.map(({ kind, samples }) => [kind, samples.join('; ')]));
      for (const each of expected) {
        const [, kind = '', place = ''] = /^([\w-]+): (.*)$/.exec(each) ?? [];
        seen.add(kind);
        expect([each, found[kind]]).toEqual([each, expect.stringMatching(place)]);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(FINDINGS).sort());
  });

  test('accepts a removed edge with unknown ends, and erased entities in the outbox', async () => {
    const gone = { lhs: user('x'), relation: 'follows', rhs: user('y') };
    const batch = new WriteBatch();
    store.layout.putEdge(batch, store.layout.edgeId(gone), { at: 1, removed: true });
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
