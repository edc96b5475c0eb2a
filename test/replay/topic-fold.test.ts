import { beforeEach, describe, expect, test } from 'vitest';
import { checkStore } from '../../src/graph/check/check.ts';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { fingerprint } from '../../src/graph/head.ts';
import { shardOf } from '../../src/graph/shard.ts';
import type { SourceRecord } from '../../src/pipeline/ports.ts';
import { FOLDED_ACCUMULATOR, TopicFold } from '../../src/replay/topic-fold.ts';
import { type EmbeddingHeaders, embeddingHeaders } from '../../topics/embeddings.ts';
import { type RelationHeaders, relationHeaders } from '../../topics/model.ts';
import { edgesIn, graph, HEAD, MODEL, tweet, user } from '../graph/graph-fixture.ts';
import { recordOf as readAs } from '../pipeline/memory-log.ts';

const START = {
  random: Uint32Array.of(5, 6, 7),
  relations: Float32Array.from([0.5, -1, 0, 1, 1, 0, 2, 2, 0, 3, 3, 0]),
};
const OURS = fingerprint(MODEL);
const OTHERS = 'f'.repeat(16);

let store: GraphStore;
let folding: TopicFold;
beforeEach(() => {
  store = graph();
  folding = new TopicFold({ graph: 'test', model: MODEL, space: 'new', store, start: START });
});

let offset = 0;
function recordOf(key: string, vector: string | null, headers: Record<string, string>): SourceRecord {
  const value = vector === null ? null : Buffer.from(vector, 'hex');
  const place = { partition: 1, offset: offset++, timestamp: 9 };
  return readAs({ topic: 'twhin.embeddings.test', key, value, headers }, place);
}

const headersAt = (step: number) => ({
  ...{ graph: 'test', dim: 2, dtype: 'float32' as const, step, at: 1000 + step },
  ...{ fingerprint: OURS, epoch: 1, space: '5eed' },
});

/** vector: hex of two little-endian float32; null is a tombstone. */
function record(
  key: string,
  step: number,
  vector: string | null,
  change: Partial<Omit<EmbeddingHeaders, 'dtype'>> = {},
): SourceRecord {
  return recordOf(key, vector, embeddingHeaders({ ...headersAt(step), ...change }));
}

/** A relation vector as it is published. */
function relationRecord(
  key: string,
  step: number,
  vector: string,
  change: Partial<Omit<RelationHeaders, 'dtype'>> = {},
): SourceRecord {
  const trained = { trained: step > 0, scorer: 'transe-l2', beta: 9, lhs: 'user', rhs: 'user' } as const;
  return recordOf(key, vector, relationHeaders({ ...headersAt(step), ...trained, ...change }));
}

/** 1, -2; 0.5, 0; a subnormal and minus zero. */
const V1 = '0000803f000000c0';
const V2 = '0000003f00000000';
const ODD = '0100000000000080';

/** Vectors' bytes by entity, in hex. */
async function vectors(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, row } of store.entities()) {
    const [floats] = await store.readRows([row]);
    found[key] = Buffer.from(floats!.slice(0, MODEL.dim).buffer).toString('hex');
  }
  return found;
}

describe('folding an embeddings topic', () => {
  test('gives each entity the bytes of its newest record, and the highest step', async () => {
    await folding.add([record('user:a', 3, V1), record('tweet:t', 4, ODD), record('user:a', 5, V2)]);
    await folding.add([record('user:b', 6, V1), record('user:b', 6, V2), record('user:a', 4, V1)]);
    const head = await folding.finish();
    expect(await vectors()).toEqual({ 'user:a': V2, 'tweet:t': ODD, 'user:b': V2 });
    expect(head).toEqual({
      ...HEAD,
      ...{ step: 6, random: [5, 6, 7], rows: 7, positions: {}, edges: {}, outbox: 0 },
      events: { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
      entities: { user: 2, tweet: 1 },
      ...{ watermark: 1006, epoch: 1, space: '5eed' },
    });
    expect(await store.head()).toEqual(head);
    expect(folding.records).toBe(6);
    expect((await checkStore(store)).findings).toEqual([]);
  });

  test('leaves the rest as a fresh store has it, and entities as trained once', async () => {
    await folding.add([record('user:a', 3, V1)]);
    await folding.finish();
    const rows = await Array.fromAsync(store.rows());
    expect(rows.slice(0, 4).map(({ floats }) => [...floats])).toEqual([
      [0.5, -1, 0, 0],
      [1, 1, 0, 0],
      [2, 2, 0, 0],
      [3, 3, 0, 0],
    ]);
    expect(rows[4]).toEqual({ row: 4, floats: Float32Array.of(1, -2, FOLDED_ACCUMULATOR, 0) });
    const checkpoint = await store.checkpoint();
    expect(checkpoint?.head).toMatchObject({ commit: 1, step: 3, random: [5, 6, 7] });
    const [block] = await Array.fromAsync(checkpoint!.blocks());
    expect([block?.types, block?.trained]).toEqual([
      Uint8Array.of(255, 255, 255, 255, 0),
      Uint8Array.of(0, 0, 0, 0, 1),
    ]);
    expect(await store.entity(user('a'))).toEqual({
      key: 'user:a',
      row: 4,
      updates: 1,
      firstSeen: 1003,
      lastSeen: 1003,
    });
    expect(await edgesIn(store)).toEqual([]);
    expect(await Array.fromAsync(store.journal())).toEqual([]);
  });

  test('goes on in the space of all vectors, or in a new one where they are of several', async () => {
    await folding.add([
      record('user:a', 1, V1, { space: 'old', epoch: 3 }),
      record('user:a', 2, V2, { epoch: 4 }),
      record('user:b', 2, V2, { epoch: 4 }),
      record('user:c', 2, null, { space: 'old', epoch: 7 }),
    ]);
    expect(folding.spaces()).toEqual({ '5eed': 2 });
    expect(await folding.finish()).toMatchObject({ space: '5eed', epoch: 7 });
    folding = new TopicFold({ graph: 'test', model: MODEL, space: 'new', store: graph(), start: START });
    await folding.add([record('user:a', 1, V1, { space: 'old' }), record('user:b', 2, V2)]);
    expect(folding.spaces()).toEqual({ old: 1, '5eed': 1 });
    expect(await folding.finish()).toMatchObject({ space: 'new', epoch: 1 });
  });

  test('into a shard goes on in the space of the newest writer, in which the other shards train', async () => {
    const shard = { graph: 'test', index: 0, count: 2 };
    const keys = Array.from({ length: 20 }, (_, n) => `user:${n}`);
    const [first = '', second = ''] = keys.filter((key) => shardOf(key, 2) === shard.index);
    const other = keys.find((key) => shardOf(key, 2) !== shard.index)!;
    const options = { graph: 'test-0', model: MODEL, space: 'new', start: START };
    folding = new TopicFold({ ...options, shard, store: graph() });
    await folding.add([
      record(first, 1, V1, { space: 'old', epoch: 3 }),
      record(second, 2, V2, { space: 'promoted', epoch: 4 }),
      { ...record(first, 2, V1, { space: 'old', epoch: 3 }), timestamp: 12 },
      { ...record(other, 2, V1, { space: 'old', epoch: 3 }), timestamp: 15 },
    ]);
    expect(folding.publishedAt).toBe(12);
    expect(folding.spaces()).toEqual({ old: 1, promoted: 1 });
    expect(await folding.finish()).toMatchObject({ space: 'promoted', shard: { run: 'new' } });
  });

  test('takes out what a tombstone names, whatever came at once, until it is named again', async () => {
    await folding.add([record('user:a', 1, V1), record('user:b', 1, V1), record('user:c', 1, V1)]);
    await folding.add([record('user:a', 2, null), record('user:b', 2, null), record('user:b', 3, V2)]);
    await folding.add([record('user:d', 4, V1), record('user:d', 5, null), record('user:c', 0, null)]);
    await folding.add([record('user:a', 1, V2), record('user:e', 6, null)]);
    expect((await folding.finish()).entities).toEqual({ user: 2 });
    expect(await vectors()).toEqual({ 'user:b': V2, 'user:c': V1 });
    expect((await checkStore(store)).findings).toEqual([]);
  });

  test('refuses vectors of other models that are left, and says how many of which', async () => {
    await folding.add([
      record('user:a', 1, V1, { fingerprint: OTHERS }),
      record('user:b', 1, V1),
      record('user:c', 1, V1),
      record('user:c', 2, '00000000', { fingerprint: OTHERS, dim: 1 }),
    ]);
    await expect(folding.finish()).rejects.toMatchObject({
      name: 'FatalError',
      code: 'topic-record',
      message: expect.stringMatching(
        new RegExp(`2, such as user:a of ${OTHERS}; 1 are of the configured ${OURS}\\..*twhin replay`),
      ),
    });
    await folding.add([record('user:a', 2, V2), record('user:c', 3, null, { fingerprint: OTHERS })]);
    await folding.finish();
    expect(await vectors()).toEqual({ 'user:a': V2, 'user:b': V1 });
    expect((await checkStore(store)).findings).toEqual([]);
  });

  test('refuses what is no vector of the graph, naming the record', async () => {
    const bad: readonly (readonly [SourceRecord, string])[] = [
      [record('user:a', 1, V1, { graph: 'follow' }), 'it is of the graph follow, not test'],
      [record('user:a', 1, V1, { dim: 3 }), 'header dim is 3, but the value holds 2'],
      [record('user:a', 1, '0000803f0000c07f'), 'holds a number that is none'],
      [{ ...record('user:a', 1, V1), headers: {} }, 'header dtype is missing'],
      [{ ...record('user:a', 1, V1), key: null }, 'its key "" names no entity'],
      [record('user', 1, V1), 'its key "user" names no entity'],
      [record('user:', 1, V1), 'its key "user:" names no entity'],
      [record(':a', 1, V1), 'its key ":a" names no entity'],
      [record(`user:${'a'.repeat(257)}`, 1, V1), 'names no entity'],
      [record('planet:a', 1, V1), 'no entity is called planet:a'],
    ];
    for (const [each, reason] of bad) {
      await expect(folding.add([each])).rejects.toMatchObject({
        name: 'FatalError',
        code: 'topic-record',
        message: expect.stringMatching(
          new RegExp(`twhin.embeddings.test, partition 1, offset ${each.offset} is no vector.*${reason}`),
        ),
      });
    }
    await expect(folding.finish()).rejects.toMatchObject({ code: 'topic-record' });
    await folding.add([record(`tweet:a:${'b'.repeat(254)}`, 1, V1), record('user:a', 1, V1)]);
    await folding.finish();
    expect(Object.keys(await vectors())).toEqual([user('a'), tweet(`a:${'b'.repeat(254)}`)]);
  });

  test('puts trained relation vectors in their rows, the last record of each, and leaves the others at their start', async () => {
    const [first, second] = MODEL.relations.map(({ name }) => name);
    await folding.add([record('user:a', 3, V1)]);
    folding.addRelations([
      relationRecord(`relation:${first}`, 9, V1),
      relationRecord(`relation:${first}`, 4, V2),
      relationRecord(`relation:${second}/inverse`, 7, ODD),
      relationRecord(`relation:${second}`, 0, V1),
    ]);
    const head = await folding.finish();
    expect(head.step).toBe(7);
    const rows = await store.readRows([0, 1, 2, 3]);
    expect(rows.map((row) => [...(row ?? [])])).toEqual([
      [0.5, 0, FOLDED_ACCUMULATOR, 0],
      [1, 1, 0, 0],
      [2, 2, 0, 0],
      [expect.any(Number), -0, FOLDED_ACCUMULATOR, 0],
    ]);
    expect((await checkStore(store)).findings).toEqual([]);
  });

  test('takes no relation vector of another run of training or another model, and refuses what is none', async () => {
    const [first] = MODEL.relations.map(({ name }) => name);
    await folding.add([record('user:a', 3, V1)]);
    folding.addRelations([
      relationRecord(`relation:${first}`, 9, V2, { space: 'other' }),
      relationRecord(`relation:${first}/inverse`, 9, V2, { fingerprint: OTHERS }),
    ]);
    expect(() => folding.addRelations([record('user:a', 1, V1)])).toThrow(
      /no vector that twhin published: key "user:a"/,
    );
    expect(() =>
      folding.addRelations([relationRecord(`relation:${first}`, 1, V1, { graph: 'else' })]),
    ).toThrow(/it is of the graph else, not test/);
    await folding.finish();
    expect(folding.strangeRelations).toBe(1);
    const [row] = await store.readRows([0]);
    expect([...(row ?? [])]).toEqual([0.5, -1, 0, 0]);
  });
});
