import { describe, expect, test } from 'vitest';
import { digest } from '../../src/graph/digest.ts';
import { type GraphStore, inBatches } from '../../src/graph/graph-store.ts';
import { decodeHead, differences, fingerprint } from '../../src/graph/head.ts';
import { commitOf, entity, graph, HEAD, MODEL, part, tweet, user } from './graph-fixture.ts';

const edge = (lhs: string, rhs: string, at: number, removed = false) => ({
  lhs: user(lhs),
  relation: 'follows',
  rhs: user(rhs),
  at,
  removed,
});

describe('GraphStore', () => {
  test('has no head before the first commit', async () => {
    const store = graph();
    expect(await store.head()).toBeUndefined();
    expect(await store.entity(user('a'))).toBeUndefined();
    expect(await store.readRows([4])).toEqual([undefined]);
    expect(await Array.fromAsync(store.edges())).toEqual([]);
  });

  test('reads back everything that a commit wrote', async () => {
    const store = graph();
    const a = entity(user('a'), 4, { updates: 4_000_000_000, firstSeen: 5, lastSeen: 1_700_000_000_123 });
    const likes = { lhs: user('b'), relation: 'likes', rhs: tweet('t'), at: 20, removed: false };
    await store.commit(
      commitOf({
        entities: [entity(user('b'), 5), a, entity(tweet('t'), 6)],
        edges: [edge('b', 'a', 10), likes, edge('a', 'b', 30, true)],
        erasures: [{ key: user('gone'), at: 44 }],
        vectors: { 4: [0.5, -0.25, 3, 0.125], 6: [1, 2, 4, 0] },
        outboxAdded: [part(1, user('a'), tweet('t'))],
      }),
    );
    expect(await store.head()).toEqual(HEAD);
    expect(await store.entity(user('a'))).toEqual(a);
    expect((await Array.fromAsync(store.entities())).map(({ key, row }) => [key, row])).toEqual([
      ['user:a', 4],
      ['user:b', 5],
      ['tweet:t', 6],
    ]);
    expect((await Array.fromAsync(store.entities('tweet'))).map(({ key }) => key)).toEqual(['tweet:t']);
    expect(await store.readRows([6, 5, 4])).toEqual([
      { row: 6, floats: Float32Array.of(1, 2, 4, 0), step: 7 },
      undefined,
      { row: 4, floats: Float32Array.of(0.5, -0.25, 3, 0.125), step: 7 },
    ]);
    expect((await Array.fromAsync(store.rows())).map(({ row }) => row)).toEqual([4, 6]);
    expect(await Array.fromAsync(store.edges())).toEqual([
      edge('a', 'b', 30, true),
      edge('b', 'a', 10),
      likes,
    ]);
    expect(await Array.fromAsync(store.edges('user'))).toHaveLength(3);
    expect(await Array.fromAsync(store.edges('tweet'))).toEqual([]);
    expect(
      await store.readEdges(
        [likes, edge('b', 'b', 0), edge('a', 'b', 0)].map((each) => store.layout.edgeId(each)),
      ),
    ).toEqual([{ at: 20, removed: false }, undefined, { at: 30, removed: true }]);
    expect(await Array.fromAsync(store.edgesOf(user('b')))).toEqual([
      { ...edge('b', 'a', 10), direction: 'out' },
      { ...likes, direction: 'out' },
      { ...edge('a', 'b', 30, true), direction: 'in' },
    ]);
    expect(await Array.fromAsync(store.outbox())).toEqual(['user:a', 'tweet:t']);
    expect(await Array.fromAsync(store.erasures())).toEqual([
      { name: store.erasedName(user('gone')), at: 44 },
    ]);
    // The id itself is not stored any more.
    expect(store.erasedName(user('gone'))).not.toContain('gone');
  });

  test('gives vectors in the published form: little-endian float32, without accumulator and drift', async () => {
    const store = graph();
    await store.commit(commitOf({ vectors: { 4: [1, -2, 9, 9], 5: [0.5, 0, 9, 9] } }));
    const vectors = await store.readVectors([5, 8, 4]);
    expect(
      [...vectors].map(([row, { bytes, step }]) => [row, Buffer.from(bytes).toString('hex'), step]),
    ).toEqual([
      [5, '0000003f00000000', 7],
      [4, '0000803f000000c0', 7],
    ]);
  });

  test('finds the edges of an entity, and not those of an entity with a similar id', async () => {
    const store = graph();
    const ids = ['a', 'ab', 'aÿ', 'aa'];
    await store.commit(commitOf({ edges: ids.flatMap((id) => [edge(id, 'z', 1), edge('z', id, 2)]) }));
    for (const id of ids) {
      expect(await Array.fromAsync(store.edgesOf(user(id)))).toEqual([
        { ...edge(id, 'z', 1), direction: 'out' },
        { ...edge('z', id, 2), direction: 'in' },
      ]);
    }
    await store.commit(commitOf({ edges: [edge('q', 'q', 3)] }));
    expect((await Array.fromAsync(store.edgesOf(user('q')))).map(({ direction }) => direction)).toEqual([
      'out',
      'in',
    ]);
  });

  test('deletes erased edges in both directions, vectors and outbox entries', async () => {
    const store = graph();
    const full = { 4: [1, 1, 1, 1], 5: [2, 2, 2, 2] };
    await store.commit(
      commitOf({
        entities: [entity(user('a'), 4), entity(user('b'), 5)],
        edges: [edge('a', 'b', 10), edge('b', 'a', 11)],
        vectors: full,
        outboxAdded: [part(1, user('a'), user('b'))],
      }),
    );
    await store.commit(
      commitOf({
        erasedEdges: [edge('a', 'b', 10), edge('b', 'a', 11)],
        erasedEntities: [{ key: user('a'), row: 4 }],
        // The trainer zeroes a dropped row and reports it as changed.
        vectors: { 4: [0, 0, 0, 0] },
        outboxCleared: [part(1, user('a'), user('b'))],
        outboxAdded: [part(2, user('a'))],
      }),
    );
    expect(await store.entity(user('a'))).toBeUndefined();
    expect((await Array.fromAsync(store.rows())).map(({ row }) => row)).toEqual([5]);
    expect(await Array.fromAsync(store.edges())).toEqual([]);
    expect(await Array.fromAsync(store.edgesOf(user('b')))).toEqual([]);
    expect(await Array.fromAsync(store.outbox())).toEqual(['user:a']);
  });

  test('keeps the outbox in parts until they are cleared', async () => {
    const store = graph();
    const [a, b, c] = [user('a'), user('b'), user('c')];
    // Ordered by number, not by digits.
    await store.commit(commitOf({ outboxAdded: [part(10, c, b), part(9, a, b)] }));
    expect(await Array.fromAsync(store.outboxParts())).toEqual([part(9, a, b), part(10, c, b)]);
    expect(await Array.fromAsync(store.outbox())).toEqual([a, b, c]);
    await store.commit(commitOf({ outboxCleared: [part(10, c, b)], outboxAdded: [part(11, c)] }));
    expect(await Array.fromAsync(store.outboxParts())).toEqual([part(9, a, b), part(11, c)]);
  });

  test('keeps an entity that is erased and named again in one commit, on its new row', async () => {
    const store = graph();
    await store.commit(commitOf({ entities: [entity(user('a'), 4)], vectors: { 4: [1, 1, 1, 1] } }));
    await store.commit(
      commitOf({
        erasedEntities: [
          { key: user('a'), row: 4 },
          { key: user('a'), row: 5 },
        ],
        entities: [entity(user('a'), 6)],
        vectors: { 4: [0, 0, 0, 0], 5: [0, 0, 0, 0], 6: [3, 3, 3, 3] },
      }),
    );
    expect((await store.entity(user('a')))?.row).toBe(6);
    expect((await Array.fromAsync(store.rows())).map(({ row }) => row)).toEqual([6]);
  });

  test('gathers an iteration into batches, with a smaller last batch', async () => {
    const numbers = async function* (count: number) {
      for (let i = 0; i < count; i++) yield i;
    };
    expect(await Array.fromAsync(inBatches(numbers(5), 2))).toEqual([[0, 1], [2, 3], [4]]);
    expect(await Array.fromAsync(inBatches(numbers(4), 2))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(await Array.fromAsync(inBatches(numbers(0), 2))).toEqual([]);
  });
});

describe('the head', () => {
  test('is refused where it is damaged, with the reason', () => {
    const head = (change: object) => Buffer.from(JSON.stringify({ ...HEAD, ...change }));
    for (const [bytes, reason] of [
      [Buffer.from('{"format":1'), /head can't be read: .*JSON/],
      [head({ format: 'new' }), /head can't be read: .*format/s],
      [head({ offsets: { t: { '0': -1 } } }), /offsets\.t/],
      [head({ rows: 1.5 }), /rows/],
    ] as const) {
      expect(() => decodeHead(bytes)).toThrow(
        expect.objectContaining({
          name: 'FatalError',
          code: 'store-damaged',
          message: expect.stringMatching(reason),
        }),
      );
    }
  });

  test('has a fingerprint of 16 hex digits that depends on every part of the model', () => {
    const variants = [
      MODEL,
      { ...MODEL, dim: 3 },
      { ...MODEL, scorer: 'twhin' },
      { ...MODEL, entityTypes: ['tweet', 'user'] },
      { ...MODEL, relations: MODEL.relations.toReversed() },
      { ...MODEL, relations: [{ ...MODEL.relations[0]!, rhs: 'tweet' }, MODEL.relations[1]!] },
    ];
    const names = variants.map(fingerprint);
    expect(new Set(names).size).toBe(variants.length);
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{16}$/);
    expect(fingerprint(structuredClone(MODEL))).toBe(names[0]);
    expect(differences(MODEL, structuredClone(MODEL))).toEqual([]);
    for (const variant of variants.slice(1)) expect(differences(MODEL, variant)).toHaveLength(1);
    expect(differences(MODEL, { ...MODEL, dim: 3, scorer: 'twhin' })).toEqual([
      'dim: the store has 2, the configuration 3',
      'scorer: the store has transe-l2, the configuration twhin',
    ]);
  });
});

describe('digest', () => {
  /** The same graph, with rows given out in either order. */
  async function filled(
    rows: { a: number; b: number },
    change: {
      at?: number;
      removed?: boolean;
      vector?: number;
      accumulator?: number;
      drift?: number;
      step?: number;
      relation?: number;
    } = {},
  ): Promise<GraphStore> {
    const store = graph();
    await store.commit(
      commitOf({
        head: {
          ...HEAD,
          step: change.step ?? 7,
          entities: { user: 2 },
          edges: { follows: change.removed ? 0 : 1 },
        },
        entities: [entity(user('a'), rows.a), entity(user('b'), rows.b)],
        edges: [edge('a', 'b', change.at ?? 10, change.removed), edge('b', 'a', 5, true)],
        vectors: {
          0: [change.relation ?? 0.5, 0, 1, 0],
          [rows.a]: [1, change.vector ?? 2, change.accumulator ?? 3, change.drift ?? 0],
          [rows.b]: [4, 5, 6, 0],
        },
      }),
    );
    return store;
  }

  const digestOf = async (store: GraphStore) => (await digest([store])).digest;

  test('does not depend on the order of rows, or on drift', async () => {
    const plain = await digestOf(await filled({ a: 4, b: 5 }));
    expect(await digestOf(await filled({ a: 9, b: 4 }))).toEqual(plain);
    expect(await digestOf(await filled({ a: 4, b: 5 }, { drift: 0.5 }))).toEqual(plain);
    // xxd -r -p | sha256sum: its first 16 digits, of key and value of each edge
    // 6500006100000062 000000000000244000, 6500006200000061 000000000000144001
    expect(plain.edges).toBe('cf1936952d1d45c6');
    expect(plain.vectors).toMatch(/^[0-9a-f]{16}$/);
  });

  test('changes with any edge, time, vector, accumulator, step and relation', async () => {
    const plain = await digestOf(await filled({ a: 4, b: 5 }));
    for (const change of [{ at: 11 }, { removed: true }]) {
      const changed = await digestOf(await filled({ a: 4, b: 5 }, change));
      expect(changed.edges, JSON.stringify(change)).not.toBe(plain.edges);
      expect(changed.vectors).toBe(plain.vectors);
    }
    for (const change of [
      { vector: 2.0000002 },
      { accumulator: 3.0000002 },
      { step: 8 },
      { relation: 0.25 },
    ]) {
      const changed = await digestOf(await filled({ a: 4, b: 5 }, change));
      expect(changed.vectors, JSON.stringify(change)).not.toBe(plain.vectors);
      expect(changed.edges).toBe(plain.edges);
    }
    // Vectors swapped between two entities.
    const swapped = await filled({ a: 4, b: 5 });
    await swapped.commit(commitOf({ vectors: { 4: [4, 5, 6, 0], 5: [1, 2, 3, 0] } }));
    expect((await digestOf(swapped)).vectors).not.toBe(plain.vectors);
  });
});
