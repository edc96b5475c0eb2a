import { describe, expect, test } from 'vitest';
import type { EntityKey } from '../../../src/graph/entity.ts';
import type { PutBy } from '../../../src/pipeline/writing/outbox.ts';
import { Publisher } from '../../../src/pipeline/writing/publish.ts';
import { RelationVectors } from '../../../src/pipeline/writing/relation-vectors.ts';
import { Writer } from '../../../src/pipeline/writing/writer.ts';
import { HEAD, MODEL, user } from '../../graph/graph-fixture.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { keptMeasures } from '../kept-measures.ts';
import { turns } from '../updater-fixture.ts';

const A = user('a');
const B = user('b');
const NONE = new Float32Array(0);
/** A vector's numbers, and how many such vectors are sent at a time, with 240 bytes around each. */
const MANY = 4096;
const SWEEP = Math.ceil(2 ** 23 / (4 * MANY + 240));
const keysOf = (all: readonly { key: string }[]) => Buffer.from(all.map(({ key }) => key).join(''));
/** The first number of a vector; null: a tombstone. */
const numberIn = (value: Uint8Array | null) => value && Buffer.from(value).readFloatLE(0);

function setUp({ withRelations = false, begins = true, dim = 2 } = {}) {
  const sink = new FaultySink();
  const now = { ms: 1_000 };
  const failed: Error[] = [];
  const measures = keptMeasures();
  const writer = new Writer(
    { ...HEAD, epoch: 3, space: 'space', stepBase: 100 },
    { role: 'leader' },
    'another',
  );
  const clock = () => now.ms;
  const watermark = () => 1_234;
  const relations = new RelationVectors({
    ...{
      graph: 'test',
      topic: { name: 'model', beta: 1 },
      model: MODEL,
      fingerprint: 'f',
      writer,
      watermark,
      clock,
    },
    tuning: { epsilon: 1, maxAgeMs: 60_000 },
  });
  const publisher = new Publisher({
    ...{ writer, sink, topic: 'vectors', log: keptLog(), measures, watermark, clock },
    header: { graph: 'test', dim, dtype: 'float32', fingerprint: 'f' },
    relations: withRelations ? relations : undefined,
    failed: (error) => failed.push(error),
  });
  if (begins) publisher.begin();
  const rows = new Map<EntityKey, number>();
  /** Puts up vectors, [1, 0] unless said, or tombstones, as a commit does. step: 10 times the commit. */
  const add = (
    names: readonly (EntityKey | { key: EntityKey; row?: number; value?: number | null; eventAt?: number })[],
    { commit, since, step = 10 * commit }: Partial<PutBy> & Pick<PutBy, 'commit'>,
    of = NONE,
  ) => {
    const puts = names.map((each) => (typeof each === 'string' ? { key: each } : each));
    const gone = puts.filter(({ value }) => value === null);
    publisher.outbox.forget(gone.flatMap(({ key }) => rows.get(key) ?? []));
    for (const { key } of gone) rows.delete(key);
    const moved = puts.filter(({ value }) => value !== null);
    for (const { key, row = rows.get(key) ?? rows.size } of moved) rows.set(key, row);
    const all = [...moved, ...gone];
    const keysAt = Uint32Array.from({ length: all.length + 1 }, (_, i) => keysOf(all.slice(0, i)).length);
    const [keys, eventsAt] = [keysOf(all), Float64Array.from(all, ({ eventAt }) => eventAt ?? Number.NaN)];
    const vectors = Float32Array.from(moved.flatMap(({ value }) => [value ?? 1, 0]));
    const ofRows = Int32Array.from(moved, ({ key }) => rows.get(key)!);
    const by = { commit, step, since };
    return publisher.add({ by, rows: ofRows, vectors, keys, keysAt, eventsAt, left: all.length }, of);
  };
  /** Keys, numbers and steps of what was acknowledged. */
  const sent = () =>
    sink.acknowledged.map(({ key, value, headers }) => [`${key}`, numberIn(value), Number(headers['step'])]);
  /** Acknowledges what is sent next, and lets what follows begin. */
  const acknowledge = async () => {
    await sink.acknowledge();
    await turns(1);
  };
  /** Acknowledges what is sent next, after which nothing waits. */
  const through = async () => {
    await sink.acknowledge();
    await publisher.drained();
  };
  return { sink, now, failed, measures, publisher, add, sent, acknowledge, through };
}

describe('Publisher', () => {
  test('sends a vector with its step, counts it until it is acknowledged, and measures its age', async () => {
    const { sink, now, measures, publisher, add, through } = setUp();
    // An event of 250, arrived at 400, named a; b was but one of the negatives.
    await add(
      [
        { key: A, eventAt: 250 },
        { key: B, value: 2 },
      ],
      { commit: 1, since: 400 },
    );
    expect([publisher.outbox.size, publisher.outbox.oldest]).toEqual([2, 400]);
    expect(await sink.next()).toEqual([A, B]);
    expect([publisher.outbox.size, publisher.outbox.acknowledged]).toEqual([2, 0]);
    now.ms = 1_500;
    await through();
    expect(sink.acknowledged.map(({ topic, key, value }) => [topic, `${key}`, numberIn(value)])).toEqual([
      ['vectors', A, 1],
      ['vectors', B, 2],
    ]);
    expect(sink.acknowledged[0]?.headers).toEqual({
      ...{ graph: 'test', dim: '2', dtype: 'float32', fingerprint: 'f' },
      ...{ step: '110', at: '1234', epoch: '3', space: 'space' },
    });
    expect([publisher.outbox.size, publisher.outbox.acknowledged]).toEqual([0, 2]);
    // Sent at 1,000, acknowledged at 1,500.
    expect(publisher.latency.quantile(0.5)).toBe(1_100);
    expect(measures.told).toEqual(['fresh 1100 1250', 'publish 500']);
    expect(publisher.outbox.oldest).toBeUndefined();
  });

  test('sends a row that is put up again while it waits once: as it is now, and as old as it was', async () => {
    const { sink, now, measures, publisher, add, sent, acknowledge, through } = setUp();
    await add([B], { commit: 1, since: 400 });
    await sink.next();
    await add([{ key: A, eventAt: 300 }, user('c')], { commit: 2, since: 500 });
    await add([user('d'), { key: A, value: 2, eventAt: 450 }], { commit: 3, since: 600 });
    expect([publisher.outbox.size, publisher.outbox.spent.length]).toEqual([4, 0]);
    await acknowledge();
    expect(publisher.outbox.spent.length).toBe(1);
    expect(await sink.next()).toEqual([A, user('c'), user('d')]);
    now.ms = 1_500;
    await through();
    expect(sent()).toEqual([
      [B, 1, 110],
      [A, 2, 130],
      [user('c'), 1, 120],
      [user('d'), 1, 130],
    ]);
    expect(measures.told).toEqual(['publish 0', 'fresh 1000 1200', 'publish 500']);
    expect(publisher.outbox.spent.map(({ length }) => length)).toEqual([2, 4, 4]);
  });

  test('sends no vector of an erased entity that waits, and its row again for another', async () => {
    const { sink, publisher, add, sent, acknowledge, through } = setUp();
    const [C, D] = [user('c'), user('d')];
    await add([A, C], { commit: 1 });
    await sink.next();
    await add([B, A], { commit: 2 });
    const gone = [A, B, C].map((key) => ({ key, value: null }));
    await add(gone, { commit: 3 });
    expect(publisher.outbox.size).toBe(3);
    const named = [D, user('e'), B].map((key, row) => ({ key, row }));
    await add(named, { commit: 4 });
    await acknowledge();
    await through();
    expect(sent().slice(0, 2)).toEqual([A, C].map((key) => [key, 1, 110]));
    expect(sent().slice(2)).toEqual([
      [A, null, 130],
      [B, 1, 140],
      [C, null, 130],
      [D, 1, 140],
      [user('e'), 1, 140],
    ]);
    expect([publisher.outbox.size, publisher.outbox.spent.length]).toEqual([0, 4]);
    for (const key of [B, D]) await add([key], { commit: 5 });
    expect(publisher.outbox.size).toBe(2);
  });

  test('sends no entity twice at a time, erased and named again as often as may be: what is repeated does not go back', async () => {
    const { sink, publisher, add, sent, acknowledge, through } = setUp();
    const [C, D] = [user('c'), user('d')];
    const gone = (key: EntityKey) => ({ key, value: null });
    await add([A, B, C], { commit: 1 });
    await sink.next();
    await add([gone(A), gone(B), gone(C)], { commit: 2 });
    await add([{ key: A, row: 7, value: 2 }, gone(D)], { commit: 3 });
    await add([gone(A), gone(B), { key: D, row: 8 }], { commit: 4 });
    await add(
      [
        { key: B, row: 7, value: 3 },
        { key: A, row: 9, value: 4 },
      ],
      { commit: 5 },
    );
    expect([publisher.outbox.size, publisher.outbox.oldestCommit]).toEqual([4, 1]);
    await acknowledge();
    expect(await sink.next()).toEqual([B, C, D, A]);
    // Committed, for all that anybody knows, and its answer lost.
    await sink.outOfReach();
    await sink.next();
    await add([gone(B), gone(D)], { commit: 6 });
    await add([{ key: B, row: 8, value: 5 }, gone(D)], { commit: 7 });
    expect([publisher.outbox.size, publisher.outbox.oldestCommit]).toEqual([4, 2]);
    await acknowledge();
    expect((await sink.next()).sort()).toEqual([B, D]);
    await through();
    expect(sent().slice(3)).toEqual([
      [B, 3, 150],
      [C, null, 120],
      [D, 1, 140],
      [A, 4, 150],
      [B, 5, 170],
      [D, null, 170],
    ]);
    // Another tombstone of an acknowledged one has a turn of its own.
    await add([gone(D)], { commit: 8 });
    await sink.next();
    await add([{ key: D, row: 7 }, B], { commit: 9 });
    expect(publisher.outbox.size).toBe(2);
    await acknowledge();
    await through();
    expect(sent().slice(9)).toEqual([
      [D, null, 180],
      [D, 1, 190],
      [B, 1, 190],
    ]);
  });

  test('sends a row that is put up again while it is being sent once more', async () => {
    const { sink, now, publisher, add, sent, acknowledge, through } = setUp();
    await add([A, B], { commit: 1, since: 400 });
    await sink.next();
    await add([{ key: A, value: 2 }], { commit: 2, since: 900 });
    await acknowledge();
    expect(await sink.next()).toEqual([A]);
    await add([{ key: A, value: 3 }], { commit: 3, since: 950 });
    expect([publisher.outbox.size, publisher.outbox.oldest]).toEqual([1, 900]);
    now.ms = 1_500;
    await acknowledge();
    await through();
    expect(sent()).toEqual([
      [A, 1, 110],
      [B, 1, 110],
      [A, 2, 120],
      [A, 3, 130],
    ]);
    expect([publisher.outbox.size, publisher.outbox.acknowledged]).toEqual([0, 4]);
    expect(publisher.latency.quantile(0.01)).toBe(550);
    await add([A, B], { commit: 4 });
    expect(publisher.outbox.size).toBe(2);
  });

  test('knows the oldest commit of which something is not acknowledged', async () => {
    const { sink, publisher, add, acknowledge, through } = setUp();
    const seen = () => publisher.outbox.oldestCommit;
    expect(seen()).toBe(Number.POSITIVE_INFINITY);
    await add([A], { commit: 1 });
    await sink.next();
    await add([B], { commit: 2 });
    await add([user('c')], { commit: 3 });
    // Of b, commit 2 was not acknowledged either; a is being sent, as of commit 1.
    await add([B, A], { commit: 4 });
    expect(seen()).toBe(1);
    await acknowledge();
    expect(await sink.next()).toEqual([B, user('c'), A]);
    expect(seen()).toBe(2);
    await add([B], { commit: 5 });
    expect(seen()).toBe(2);
    await acknowledge();
    expect(seen()).toBe(5);
    await through();
    expect(seen()).toBe(Number.POSITIVE_INFINITY);
  });

  test('vectors of one step share their headers', async () => {
    const { sink, add, acknowledge, through } = setUp();
    await add([A], { commit: 1 });
    await sink.next();
    await add([B, user('c')], { commit: 2 });
    await add([user('d')], { commit: 3 });
    await acknowledge();
    await through();
    const headers = sink.acknowledged.map((message) => message.headers);
    expect(headers.map(({ step }) => step)).toEqual(['110', '120', '120', '130']);
    expect(headers[2]).toBe(headers[1]);
  });

  test('vectors that move with each commit hold up no others', async () => {
    const { sink, now, publisher, add, acknowledge, through } = setUp({ dim: MANY });
    const busy = Array.from({ length: SWEEP }, (_, i) => user(`u${i}`));
    await add([...busy, A], { commit: 1, since: 400 });
    expect(await sink.next()).toEqual(busy);
    await add(busy, { commit: 2, since: 1_200 });
    await add(busy, { commit: 3, since: 1_300 });
    await acknowledge();
    expect(await sink.next()).toEqual([A, ...busy.slice(0, -1)]);
    expect([publisher.outbox.oldest, publisher.outbox.size]).toEqual([400, SWEEP + 1]);
    now.ms = 1_500;
    await acknowledge();
    expect(await sink.next()).toEqual(busy.slice(-1));
    expect(publisher.outbox.oldest).toBe(1_200);
    await through();
    // All but one from 400 to 1,000, one from 400 to 1,500, all but one from 1,200 to 1,500.
    expect(publisher.latency.quantile(0.4)).toBe(300);
    expect(publisher.latency.quantile(1)).toBe(1_100);
  });

  test('sends relation vectors beside the vectors of their commit, and without any', async () => {
    const { sink, publisher, add, acknowledge, through } = setUp({ withRelations: true });
    const keys = ['relation:follows', 'relation:follows/inverse', 'relation:likes', 'relation:likes/inverse'];
    const relations = Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 2 ? 1 : 0));
    await add([A], { commit: 1 }, relations);
    expect(await sink.next()).toEqual([A, ...keys]);
    // Relation vectors are no outbox: a process publishes them all once.
    expect([publisher.outbox.size, publisher.outbox.oldestCommit]).toEqual([1, 1]);
    const moved = relations.slice();
    moved[3] = 5;
    await add([], { commit: 2 }, moved);
    await acknowledge();
    expect(await sink.next()).toEqual(['relation:follows/inverse']);
    expect([publisher.outbox.size, publisher.outbox.oldestCommit]).toEqual([0, Number.POSITIVE_INFINITY]);
    await acknowledge();
    const nearly = moved.slice();
    nearly[0] = 0.001;
    await add([], { commit: 3 }, nearly);
    expect(sink.waiting).toHaveLength(0);
    const drained = publisher.drained();
    expect(await sink.next()).toEqual(['relation:follows']);
    await through();
    await drained;
    // Once: what moves after it waits again.
    await add(
      [],
      { commit: 4 },
      Float32Array.from(nearly, (number, i) => (i === 0 ? 0.002 : number)),
    );
    expect(sink.waiting).toHaveLength(0);
  });

  test('sends nothing, relation vectors neither, before it begins', async () => {
    const { sink, publisher, add } = setUp({ withRelations: true, begins: false });
    await add([], { commit: 1 }, new Float32Array(12));
    await turns(5);
    await publisher.drained();
    expect(sink.attempts).toBe(0);
    publisher.begin();
    await add([], { commit: 2 }, new Float32Array(12));
    expect(await sink.next()).toHaveLength(4);
  });

  test('stops in the middle of a pause, and what is not sent still counts', async () => {
    const { sink, failed, publisher, add } = setUp();
    await add([A], { commit: 1 });
    for (let i = 0; i < 2; i++) await sink.outOfReach();
    await turns(1);
    await publisher.stop();
    expect([publisher.outbox.size, publisher.outbox.oldestCommit, failed]).toEqual([1, 1, []]);
    await publisher.drained();
    await add([B], { commit: 2 });
    expect(sink.attempts).toBe(2);
  });

  test('reports the failure that ends sending, and stops', async () => {
    const { sink, failed, publisher, add } = setUp();
    await add([A], { commit: 1 });
    const drained = publisher.drained();
    drained.catch(() => undefined);
    await sink.refuse();
    await expect(drained).rejects.toMatchObject({ code: 'not-authorized' });
    expect(failed).toMatchObject([{ code: 'not-authorized' }]);
    expect([publisher.outbox.size, publisher.outbox.oldestCommit]).toEqual([1, 1]);
    await add([B], { commit: 2 });
    await expect(publisher.drained()).rejects.toMatchObject({ code: 'not-authorized' });
    expect(sink.attempts).toBe(1);
  });
});
