import { beforeEach, describe, expect, test } from 'vitest';
import { checkStore } from '../../../src/graph/check/check.ts';
import { type Mended, repairStore } from '../../../src/graph/check/repair.ts';
import type { GraphStore } from '../../../src/graph/graph-store.ts';
import { encodeHead, type Head } from '../../../src/graph/head.ts';
import { scanned } from '../store-conformance.ts';
import { filled, HEAD_OF_FILLED, kinds, put } from './check-fixture.ts';

const A = '000061';
const B = '000062';
const S = '010073';
let store: GraphStore;
let whole: [string, string][];
beforeEach(async () => {
  store = await filled();
  whole = await everything();
});

const everything = () => scanned(store.entries.scan(new Uint8Array()));
const repaired = async (): Promise<Mended[]> => repairStore(store, await checkStore(store));
const withHead = (change: Partial<Head>) => put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, ...change }));

describe('a repair', () => {
  test('does not change an intact store', async () => {
    expect(await repaired()).toEqual([]);
    expect(await everything()).toEqual(whole);
  });

  test('writes missing and differing reverse entries from the edges, those of removed edges too', async () => {
    await put(store, `i${B}00${A}`, undefined);
    await put(store, `i${S}01${A}`, undefined);
    await put(store, `i${A}00${B}`, Buffer.alloc(9));
    expect(await repaired()).toEqual([
      { kind: 'reverse-missing', count: 2, did: 'written from the edges' },
      { kind: 'reverse-differs', count: 1, did: 'written from the edges' },
    ]);
    expect(await everything()).toEqual(whole);
  });

  test('deletes a reverse entry whose edge the head does not count', async () => {
    await put(store, `i${A}00${A}`, Buffer.alloc(9));
    await put(store, `i${B}00${B}`, Buffer.from('00000000000000000001'.slice(2), 'hex'));
    expect(await repaired()).toEqual([
      { kind: 'reverse-extra', count: 2, did: 'deleted: the head does not count their edges' },
    ]);
    expect(await everything()).toEqual(whole);
  });

  test('restores an edge that the head counts', async () => {
    await put(store, `e${A}00${B}`, undefined);
    expect(await repaired()).toEqual([
      { kind: 'reverse-extra', count: 1, did: 'their edges restored: the head counts them' },
    ]);
    expect(await everything()).toEqual(whole);
  });

  test('keeps reverse entries of a relation that also lost edges without a trace', async () => {
    await put(store, `e${A}00${B}`, undefined);
    await put(store, `e${B}00${A}`, undefined);
    await put(store, `i${A}00${B}`, undefined);
    const damaged = await everything();
    expect(await repaired()).toEqual([]);
    expect(await everything()).toEqual(damaged);
    expect(kinds(await checkStore(store))).toEqual(['edges-fewer', 'reverse-extra']);
  });

  test('deletes vectors without an entity, unless entities are lost or damaged', async () => {
    await put(store, 'v00000009', Buffer.alloc(24));
    expect(await repaired()).toEqual([{ kind: 'vector-orphan', count: 1, did: 'deleted' }]);
    expect(await everything()).toEqual(whole);

    await put(store, `n${B}`, undefined);
    expect(await repaired()).toEqual([]);
    expect(kinds(await checkStore(store))).toContain('vector-orphan');
  });

  test('raises counts that are too low, and keeps reporting losses', async () => {
    await withHead({ rows: 5, entities: { user: 1 }, edges: { follows: 0, likes: 1 } });
    expect((await repaired()).map(({ kind, count }) => [kind, count])).toEqual([
      ['row-beyond', 2],
      ['entities-more', 2],
      ['edges-more', 2],
    ]);
    expect(await store.head()).toEqual(HEAD_OF_FILLED);

    await withHead({ edges: { follows: 1, likes: 4 } });
    expect((await repaired()).map(({ kind, count }) => [kind, count])).toEqual([['edges-more', 1]]);
    expect((await store.head())?.edges).toEqual({ follows: 2, likes: 4 });

    const lost = { entities: { user: 3, tweet: 1 }, edges: { follows: 2, likes: 4 }, outbox: 2 };
    await withHead(lost);
    expect(await repaired()).toEqual([]);
    expect(await store.head()).toMatchObject(lost);
    expect(kinds(await checkStore(store))).toEqual(['entities-fewer', 'edges-fewer', 'outbox-fewer']);
  });

  test('does not change a store without a head', async () => {
    await put(store, 'm', undefined);
    await put(store, `i${B}00${A}`, undefined);
    expect(await repaired()).toEqual([]);
  });
});
