import { beforeEach, describe, expect, test } from 'vitest';
import { FatalError } from '../../../src/errors/errors.ts';
import { checkStore } from '../../../src/graph/check/check.ts';
import { FINDINGS } from '../../../src/graph/check/findings.ts';
import type { CheckpointBlock } from '../../../src/graph/checkpoint.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import { encodeHead, type Head } from '../../../src/graph/head.ts';
import { shardOf, trainingShard } from '../../../src/graph/shard.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { portWith } from '../../fixtures/port.ts';
import { asyncOf, commitOf, entity, graph, tweet, user } from '../graph-fixture.ts';
import { filled, HEAD_OF_FILLED, put } from './check-fixture.ts';

const hex = (text: string) => Buffer.from(text, 'hex');
/** `user:a` and others in a key. */
const A = '000061';
const B = '000062';
const C = '000063';
const T = '010074';
/** The first page of names, and the first entry of states. */
const PAGE = `n${'00'.repeat(8)}`;
const STATES = `s${'00'.repeat(8)}`;
let store: GraphStore;
beforeEach(async () => {
  store = await filled();
});

const withHead = (change: Partial<Head>) => put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, ...change }));

const commits = (parts: Parameters<typeof commitOf>[0]) =>
  store.commit(commitOf({ head: HEAD_OF_FILLED, ...parts }));

/** The shard's part of a head; none of the store's entities falls into shard 1 of 256. */
const SHARD = { index: 1, count: 256, run: 'r', trained: 0, sent: 0, received: {} };

describe('a check', () => {
  test('reports no finding for an intact store, and counts its content', async () => {
    const report = await checkStore(store);
    expect(report).toEqual({
      head: HEAD_OF_FILLED,
      entities: { user: 2, tweet: 1 },
      edges: { follows: 2, likes: 1 },
      removed: 1,
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
    await commits({ erasedEntities: [tweet('t')] });
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
    /** Changes the numbers of user:a in the checkpoint: vector, accumulator, drift. */
    const float = (value: number, at: number) =>
      checkpointWith(({ floats }) => floats.fill(value, 16 + at, 17 + at));
    const zeros = (bytes: number) => Buffer.alloc(bytes);
    const puts = (key: string, value?: Buffer) => () => put(store, key, value);
    const heads = (change: Partial<Head>) => () => withHead(change);
    const ofShard = (index: number, count: number) =>
      heads({ shard: { ...SHARD, index, count, edges: {}, entities: {} } });
    /** A head that names a later commit, with these keys in the journal. */
    const journal =
      (commit: number, ...keys: string[]) =>
      async () => {
        await withHead({ commit });
        for (const key of keys) await put(store, key, zeros(1));
      };
    const ENTRY = 'j00000000000000';
    /** A damage, and each finding as `kind: place`, the place as a pattern. */
    const cases: readonly (readonly [() => Promise<void>, ...string[]])[] = [
      [puts('m'), 'head-missing: entries'],
      [puts('m', hex('7b')), 'head-damaged: begin'],
      // Of no kind, like the head's, and above all.
      [puts('q61', hex('')), 'key-unknown: ^7161$'],
      [puts('m61', hex('')), 'key-unknown: ^6d61$'],
      [puts('ffff', hex('')), 'key-unknown: ^ffff$'],
      // Keys and values that are cut.
      [puts(`e${A}`, zeros(9)), 'entry-damaged: edge 65000061'],
      [puts(`i${A}`, zeros(9)), 'entry-damaged: edge 69000061'],
      [puts('n0005', hex(A)), 'entities-damaged: names 6e0005: the store holds an impossible key'],
      [puts(PAGE, hex(A.slice(0, 4))), 'entities-damaged: names 6e00', 'entities-fewer: user: 0, counted 2'],
      [puts('s0005', zeros(16)), 'entities-damaged: states 730005'],
      [puts(STATES, zeros(17)), 'entities-damaged: states 7300.*; user:a has no possible state: .*; user:b'],
      [puts(STATES), 'entities-damaged: user:a has no possible state: .*; user:b .*; tweet:t'],
      [puts('j0002', zeros(1)), 'entry-damaged: journal 6a0002'],
      // Rows and outbox, as formats before had them.
      [puts('v00000004', zeros(24)), 'key-unknown: ^7600000004$'],
      [puts('u0000000000000001', hex('000061')), 'key-unknown: ^75'],
      // An erasure of no time, and one of no hash.
      [puts(`x${'ab'.repeat(32)}`, half), 'entry-damaged: erasure 78abab'],
      [puts('xab', zeros(8)), 'entry-damaged: erasure 78ab'],
      // An entity lost, one more, one twice, and one on a relation's row.
      [
        puts(PAGE, hex(`ffffffff${A}ff${T}`)),
        ...['entities-fewer: user: 1, counted 2'],
        'end-missing: user:b of user:a follows user:b',
      ],
      [
        puts(PAGE, hex(`ffffffff${A}${B}${T}${C}`)),
        ...['entities-damaged: user:c on row 7; entities have rows 4 to 6'],
      ],
      [
        puts(PAGE, hex(`ffffffff${A}${A}${T}`)),
        ...[
          'entities-damaged: user:a on row 5, and on another',
          'entities-fewer: user: 1, counted 2',
          'end-missing: user:b of user:a follows user:b',
        ],
      ],
      [
        puts(PAGE, hex(`ffffff${A}ff${B}${T}`)),
        'entities-damaged: user:a on row 3; entities have rows 4 to 6',
        'entities-fewer: user: 1',
      ],
      [heads({ entities: { user: 1, tweet: 1 } }), 'entities-more: user: 2, counted 1'],
      // Entities and edges of other shards alone, and more of its own than the head counts.
      [
        ofShard(1, 256),
        ...['edge-strange: user:a follows user:b', 'checkpoint-differs: tweet:t on row 6, no copy'],
      ],
      [
        ofShard(0, 1),
        "entities-more: the shard's own user: 2, counted 0",
        "edges-more: the shard's own follows: 2, counted 0",
      ],
      [
        heads({ rows: 6 }),
        ...[
          'entities-damaged: tweet:t on row 6; entities have rows 4 to 5',
          'checkpoint-differs: 7 rows, the head has 6',
        ],
      ],
      // Fewer rows than the relations have.
      [heads({ rows: 2 }), 'entities-damaged: user:a on row 4; entities have rows 4 to 1'],
      // A checkpoint that is lost, of a commit or a step to come, of another type, of a copy in a whole graph.
      [heads({ checkpoint: 9, commit: 9 }), 'checkpoint-damaged: there is no checkpoint 9'],
      [heads({ commit: 0 }), 'checkpoint-differs: of commit 1, the head of 0'],
      [heads({ step: 6 }), 'checkpoint-differs: of step 7, the head of 6'],
      [
        heads({ step: 8 }),
        "checkpoint-differs: ^another store's, of step 7, random 1,2,3; the head is of step 8,",
      ],
      [heads({ random: [4] }), "checkpoint-differs: another store's, .* the head is of step 7, random 4$"],
      [checkpointWith(({ types }) => types.fill(1, 4, 5)), 'checkpoint-differs: user:a on row 4, of tweet'],
      [
        checkpointWith(({ types }) => types.fill(255, 4, 5)),
        'checkpoint-differs: user:a on row 4, of no type',
      ],
      // Vectors that are lost, of no numbers, negative.
      [checkpointWith(({ floats }) => floats.fill(0, 16, 18)), 'vector-missing: user:a'],
      [
        () =>
          commits({ head: { ...HEAD_OF_FILLED, rows: 8 }, entities: [entity(user('a'), 7, { updates: 1 })] }),
        'vector-missing: user:a',
      ],
      [
        checkpointWith((block) => {
          const { types, trained, floats } = block;
          const first = {
            types: types.slice(0, 3),
            trained: trained.slice(0, 3),
            floats: floats.slice(0, 12),
          };
          Object.assign(block, { ...first, edges: undefined });
        }),
        'vector-missing: relation likes; user:a',
      ],
      [float(Number.NaN, 1), 'vector-damaged: row 4: number 1 is NaN'],
      [float(Number.NEGATIVE_INFINITY, 0), 'vector-damaged: number 0 is -Inf'],
      [float(-1, 2), 'vector-damaged: accumulator is -1', 'checkpoint-differs: user:a on row 4, a copy'],
      [float(Number.POSITIVE_INFINITY, 2), 'vector-damaged: accumulator is Inf'],
      [float(-1, 3), 'vector-damaged: drift is -1'],
      [float(Number.NaN, 3), 'vector-damaged: drift is NaN'],
      // A journal with a gap, cut, of a commit that the checkpoint has, and of one to come.
      [journal(4, `${ENTRY}02`, `${ENTRY}04`), 'journal-differs: ^commits 3 to 3 are missing$'],
      [journal(4, `${ENTRY}02`), 'journal-differs: ^commits 3 to 4 are missing$'],
      [journal(1, `${ENTRY}01`), 'journal-differs: ^commit 1, the head is of 1, its checkpoint of 1$'],
      [journal(2, `${ENTRY}02`, `${ENTRY}03`), 'journal-differs: ^commit 3, the head is of 2'],
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
      // An offset of no number.
      [heads({ positions: { t: { x: { offset: 1 } } } }), 'head-damaged: positions'],
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

  test('accepts a removed edge with unknown ends', async () => {
    const gone = { lhs: user('x'), relation: 'follows', rhs: user('y') };
    const batch = new WriteBatch();
    store.layout.putEdge(batch, store.layout.edgeId(gone), { at: 1, removed: true });
    await store.entries.write(batch);
    const report = await checkStore(store);
    expect([report.removed, report.findings]).toEqual([2, []]);
  });

  test('accepts rows that were never published, and untrained entities without a vector', async () => {
    await checkpointWith(({ floats }) => {
      floats.fill(Number.POSITIVE_INFINITY, 19, 20);
      floats.fill(0, 24, 28);
    })();
    await commits({ entities: [entity(tweet('t'), 6)] });
    expect(await findings()).toEqual([]);
    await commits({ head: { ...HEAD_OF_FILLED, rows: 8 }, entities: [entity(tweet('t'), 7)] });
    expect(await findings()).toEqual([]);
  });

  test('accepts what a kill leaves: entities newer than the checkpoint, and a journal of the commits since', async () => {
    // The row of user:a was given to a tweet since, and user:a got one that the checkpoint does not have.
    await commits({
      entities: [entity(user('a'), 7, { updates: 3 }), entity(tweet('s'), 4, { updates: 1 })],
    });
    await withHead({ commit: 3, rows: 8, entities: { user: 2, tweet: 2 } });
    for (const commit of ['02', '03']) await put(store, `j00000000000000${commit}`, Buffer.alloc(1));
    expect(await findings()).toEqual([]);
    // And one whose whole training is in the journal.
    store = await filled();
    await withHead({ checkpoint: 0 });
    await put(store, 'j0000000000000001', Buffer.alloc(1));
    expect(await findings()).toEqual([]);
  });

  test('knows the copies of other shards, whose vectors may still have to come', async () => {
    const count = 64;
    const [own, other] = [shardOf('user:a', count), shardOf('user:b', count)];
    expect(own).not.toBe(other);
    // The tweet is of a third shard.
    const copies = (ofB: number) =>
      checkpointWith(({ floats, types }) => {
        types.fill(255, 5);
        floats.set([0, 0, -1 - ofB], 20);
        floats.set([-1 - shardOf('tweet:t', count)], 26);
      })();
    await withHead({
      shard: { ...SHARD, count, index: own, edges: { follows: 1, likes: 1 }, entities: { user: 1 } },
    });
    await copies(other);
    expect(await findings()).toEqual([]);
    await copies((other + 1) % count);
    expect(await findings()).toEqual([
      `checkpoint-differs: user:b on row 5, a copy of shard ${(other + 1) % count}'s`,
    ]);
    await copies(count);
    expect(await findings()).toContain(`vector-damaged: row 5: the accumulator is ${-1 - count}`);
  });

  test('reports a checkpoint that ends in the middle, and still counts the entries', async () => {
    const broken = portWith(store.checkpoints, {
      open: async (commit) =>
        portWith(await store.checkpoints.open(commit), {
          // biome-ignore lint/correctness/useYield: it fails at its first block.
          async *blocks() {
            throw new FatalError('store-damaged', 'the checksum of the block at byte 0 differs');
          },
        }),
    });
    const report = await checkStore(
      new GraphStore(portWith(store.entries, { checkpointsOf: () => broken }), store.layout),
    );
    expect(report).toMatchObject({
      entities: { user: 2, tweet: 1 },
      findings: [
        { kind: 'checkpoint-damaged', count: 1, samples: [expect.stringMatching(/byte 0 differs/)] },
      ],
    });
  });

  test('counts every place and names the first three', async () => {
    for (let i = 0; i < 9; i++) await put(store, `q0${i}`, Buffer.alloc(1));
    const [finding] = (await checkStore(store)).findings;
    expect(finding).toEqual({ kind: 'key-unknown', count: 9, samples: ['7100', '7101', '7102'] });
  });
});

/** The findings as `kind: place`. */
async function findings(): Promise<string[]> {
  const report = await checkStore(store);
  return report.findings.flatMap(({ kind, samples }) => samples.map((sample) => `${kind}: ${sample}`));
}

/** Changes the one block of the checkpoint. */
function checkpointWith(change: (block: CheckpointBlock) => void): () => Promise<void> {
  return async () => {
    const checkpoint = await store.checkpoint();
    const blocks = await Array.fromAsync(checkpoint!.blocks());
    change(blocks[0]!);
    await store.checkpoints.write(checkpoint!.head, asyncOf(...blocks));
    // Another store on the same entries: a store keeps a checkpoint open.
    store = new GraphStore(store.entries, store.layout);
  };
}
