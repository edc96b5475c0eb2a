import { describe, expect, test } from 'vitest';
import { digest } from '../../src/graph/digest.ts';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { decodeHead, differences, encodeHead, fingerprint, lackingSections } from '../../src/graph/head.ts';
import { decodeSections, encodeSections, type Section } from '../../src/graph/sections.ts';
import { commitOf, commitRows, edgesIn, entity, graph, HEAD, MODEL, tweet, user } from './graph-fixture.ts';

const edge = (lhs: string, rhs: string, at: number, removed = false) => ({
  lhs: user(lhs),
  relation: 'follows',
  rhs: user(rhs),
  at,
  removed,
});

describe('GraphStore', () => {
  test('reads back everything that a commit wrote', async () => {
    const store = graph();
    const a = entity(user('a'), 4, { updates: 4_000_000_000, firstSeen: 5, lastSeen: 1_700_000_000_123 });
    const likes = { lhs: user('b'), relation: 'likes', rhs: tweet('t'), at: 20, removed: false };
    await store.commit(
      commitOf({
        entities: [entity(user('b'), 5), a, entity(tweet('t'), 6)],
        edges: [edge('b', 'a', 10), likes, edge('a', 'b', 30, true)],
        erasures: [{ key: user('gone'), at: 44 }],
        journal: Buffer.of(1, 2, 3),
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
    expect(await edgesIn(store)).toEqual([edge('a', 'b', 30, true), edge('b', 'a', 10), likes]);
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
    expect(await Array.fromAsync(store.journal())).toEqual([{ commit: 1, bytes: Buffer.of(1, 2, 3) }]);
    expect(await Array.fromAsync(store.erasures())).toEqual([
      { name: store.erasedName(user('gone')), at: 44 },
    ]);
    // The id itself is not stored any more.
    expect(store.erasedName(user('gone'))).not.toContain('gone');
  });

  test('reads rows as of the checkpoint that the head names', async () => {
    const store = graph();
    await commitRows(store, { vectors: { 1: [0.5, -0.25, 3, 0.125], 2: [1, 2, 4, 0] } });
    const first = await store.checkpoint();
    expect([first?.head, first?.rows]).toEqual([{ commit: 1, step: 7, random: [1, 2, 3], at: 0 }, 3]);
    expect(await store.readRows([2, 9, 1])).toEqual([
      Float32Array.of(1, 2, 4, 0),
      undefined,
      Float32Array.of(0.5, -0.25, 3, 0.125),
    ]);
    expect(await Array.fromAsync(store.rows())).toEqual([
      { row: 0, floats: new Float32Array(4) },
      { row: 1, floats: Float32Array.of(0.5, -0.25, 3, 0.125) },
      { row: 2, floats: Float32Array.of(1, 2, 4, 0) },
    ]);
    // The next commits train on; their vectors are in the next checkpoint.
    const later = (commit: number) => ({ ...HEAD, commit, step: 10 * commit });
    await store.commit(commitOf({ head: later(2) }));
    expect(await store.checkpoint()).toBe(first);
    await commitRows(store, { head: later(3), vectors: { 0: [8, 8, 8, 0] } });
    expect((await store.checkpoint())?.head).toEqual({ commit: 3, step: 30, random: [1, 2, 3], at: 0 });
    expect(await store.readRows([0, 1])).toEqual([Float32Array.of(8, 8, 8, 0), undefined]);
  });

  test('says that a checkpoint is damaged, and asks for it anew the next time', async () => {
    const store = graph();
    const head = { ...HEAD, commit: 5, checkpoint: 5 };
    await store.commit(commitOf({ head }));
    await expect(store.readRows([0])).rejects.toMatchObject({ code: 'store-damaged' });
    await commitRows(store, { head, vectors: { 0: [1, 1, 1, 0] } });
    expect(await store.readRows([0])).toEqual([Float32Array.of(1, 1, 1, 0)]);
  });

  test('keeps the journal in the order of the commits, until it is outdated', async () => {
    const store = graph();
    const commits = async () => (await Array.fromAsync(store.journal())).map(({ commit }) => commit);
    // Ordered by number, not by digits.
    for (const commit of [9, 10, 256])
      await store.commit(commitOf({ head: { ...HEAD, commit }, journal: Buffer.of(commit & 255) }));
    expect(await commits()).toEqual([9, 10, 256]);
    await store.commit(
      commitOf({ head: { ...HEAD, commit: 257 }, journal: Buffer.of(7), outdated: [9, 10, 200] }),
    );
    expect(await Array.fromAsync(store.journal())).toEqual([
      { commit: 256, bytes: Buffer.of(0) },
      { commit: 257, bytes: Buffer.of(7) },
    ]);
  });

  test('deletes erased edges in both directions, and erased entities', async () => {
    const store = graph();
    await store.commit(
      commitOf({
        entities: [entity(user('a'), 4), entity(user('b'), 5)],
        edges: [edge('a', 'b', 10), edge('b', 'a', 11)],
      }),
    );
    await store.commit(
      commitOf({
        erasedEdges: [edge('a', 'b', 10), edge('b', 'a', 11)],
        erasedEntities: [user('a')],
      }),
    );
    expect(await store.entity(user('a'))).toBeUndefined();
    expect((await Array.fromAsync(store.entities())).map(({ key }) => key)).toEqual(['user:b']);
    expect(await edgesIn(store)).toEqual([]);
    expect(await Array.fromAsync(store.edgesOf(user('b')))).toEqual([]);
  });
});

describe('the head', () => {
  test('is refused where it is damaged, with the reason', () => {
    const head = (change: object) => encodeHead({ ...HEAD, ...change });
    for (const [bytes, reason] of [
      [Buffer.from('{"format":4'), /head can't be read: it does not begin as a head does/],
      [head({}).subarray(0, -1), /head can't be read: a section at byte 0 of \d+ is cut off/],
      [head({ format: 'new' }), /head can't be read: .*format/s],
      [head({ positions: { t: { '0': { offset: -1 } } } }), /positions\.t/],
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

  test('has what was written, section by section; one that is missing, unknown or of another version is lacking, and damages nothing', () => {
    const whole = {
      ...HEAD,
      written: { t: 'id' },
      refused: { t: { code: 'log-diverged' as const, message: 'lost' } },
    };
    const bytes = encodeHead(whole);
    expect([decodeHead(bytes), lackingSections(whole)]).toEqual([whole, []]);
    const start = bytes.subarray(0, 'twhin store'.length + 1);
    const sections = decodeSections(bytes.subarray(start.length));
    const [state, written, refused] = sections as [Section, Section, Section];
    expect(sections.map(({ name, version }) => [name, version])).toEqual([
      ['state', 1],
      ['written', 1],
      ['refused', 1],
    ]);
    const later = { name: 'counts', version: 1, content: Buffer.from([1, 2, 3]) };
    const other = decodeHead(
      Buffer.concat([start, encodeSections([later, { ...written, version: 2 }, refused, state])]),
    );
    expect(other).toEqual({ ...HEAD, refused: whole.refused });
    expect(lackingSections(other)).toEqual(['written']);
    expect(() => decodeHead(Buffer.concat([start, encodeSections([written, refused])]))).toThrow(/graph/);
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
  });
});

describe('digest', () => {
  /** The same graph, with rows given out in either order. */
  async function filled(
    rows: { a: number; b: number },
    change: Partial<Record<'at' | 'vector' | 'accumulator' | 'drift' | 'step' | 'relation', number>> & {
      removed?: boolean;
    } = {},
  ): Promise<GraphStore> {
    const store = graph();
    await commitRows(store, {
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
    });
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

  test('has the vectors and the step of the checkpoint, and no entity that is newer', async () => {
    const store = await filled({ a: 4, b: 5 });
    const { vectors } = await digestOf(store);
    const head = { ...(await store.head())!, commit: 2, step: 99, entities: { user: 3 } };
    await store.commit(commitOf({ head, entities: [entity(user('c'), 6)] }));
    expect(await digest([store])).toMatchObject({ digest: { vectors }, step: 7, entities: { user: 3 } });
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
    const head = { ...(await swapped.head())!, commit: 2 };
    await commitRows(swapped, { head, vectors: { 0: [0.5, 0, 1, 0], 4: [4, 5, 6, 0], 5: [1, 2, 3, 0] } });
    expect((await digestOf(swapped)).vectors).not.toBe(plain.vectors);
  });
});
