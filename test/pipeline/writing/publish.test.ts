import { describe, expect, test } from 'vitest';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import type { OutboxPart } from '../../../src/graph/outbox.ts';
import { Publisher } from '../../../src/pipeline/writing/publish.ts';
import type { Put, PutBy } from '../../../src/pipeline/writing/waiting.ts';
import { Writer } from '../../../src/pipeline/writing/writer.ts';
import { commitOf, entity, graph, HEAD, user } from '../../graph/graph-fixture.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { keptMeasures } from '../kept-measures.ts';

const A = user('a');
const B = user('b');
const hex = (value: Uint8Array | null | undefined) => value && Buffer.from(value).toString('hex');
const ONE = '0000803f00000000';
const TWO = '0000004000000000';

/** A publisher of users a, on row 4, and b, on row 5, whose vectors are [1, 0]. */
async function setUp(outbox: readonly OutboxPart[] = []) {
  const store = graph();
  const index = new EntityIndex(4);
  const vectors = { 4: [1, 0, 0, 0], 5: [1, 0, 0, 0] };
  const entities = [entity(A, index.add(A, 1)), entity(B, index.add(B, 1))];
  await store.commit(commitOf({ entities, vectors }));
  const sink = new FaultySink();
  const now = { ms: 1_000 };
  const failed: Error[] = [];
  const measures = keptMeasures();
  const publisher = new Publisher({
    writer: new Writer({ ...HEAD, epoch: 3, space: 'space', stepBase: 0 }, { role: 'leader' }, 'another'),
    store,
    sink,
    topic: 'vectors',
    log: keptLog(),
    measures,
    outbox,
    header: { graph: 'test', dim: 2, dtype: 'float32', fingerprint: 'f' },
    watermark: () => 1_234,
    clock: () => now.ms,
    failed: (error) => failed.push(error),
  });
  publisher.open = true;
  const move = (row: number, value: number, step: number) =>
    store.commit(commitOf({ head: { ...HEAD, step }, vectors: { [row]: [value, 0, 0, 0] } }));
  const gone: OutboxPart[] = [];
  const prepare = (puts: readonly Put[]) => {
    const outbox = publisher.prepare(puts);
    gone.push(...outbox.cleared);
    return outbox;
  };
  /** Puts up what stands in the store or, where `floats` are given, among the rows of the commit. Rows: those of the index, unless said. */
  const add = (
    names: readonly (EntityKey | (Partial<Put> & Pick<Put, 'name'>))[],
    by: Partial<PutBy> & Pick<PutBy, 'commit'>,
    floats = new Float32Array(0),
  ) => {
    const puts = names.map((each) => {
      const said = typeof each === 'string' ? { name: each } : each;
      return { row: index.find(said.name), place: -1, eventAt: undefined, ...said };
    });
    return publisher.add(
      prepare(puts),
      { step: 7, since: undefined, ...by },
      { rows: new Int32Array(0), floats },
    );
  };
  /** Parts of the outbox that commits deleted since the last call, the next one included. */
  const dropped = () => {
    prepare([]);
    return gone.splice(0).map(({ number, names }) => [number, ...names]);
  };
  /** Keys, vectors and steps of what was acknowledged. */
  const sent = () => sink.acknowledged.map(({ key, value, headers }) => [key, hex(value), headers['step']]);
  /** Acknowledges what is sent next, after which nothing waits. */
  const through = async () => {
    await sink.acknowledge();
    await publisher.drained();
  };
  return { store, index, sink, now, failed, measures, publisher, move, prepare, add, dropped, sent, through };
}

describe('Publisher', () => {
  test("never sends the vector of a row's new entity under the name of the erased one", async () => {
    const { store, sink, publisher, add, through } = await setUp();
    const C = user('c');
    const read = store.readVectors.bind(store);
    let reads = 0;
    // While a's vector is being read, a is erased and its row handed to c, all of it committed: a slow disk.
    store.readVectors = async (rows) => {
      if (reads++ === 0) {
        await store.commit(commitOf({ erasedEntities: [{ key: A, row: 4 }] }));
        await add([{ name: A, row: undefined }], { commit: 2 });
        await store.commit(commitOf({ entities: [entity(C, 4)], vectors: { 4: [2, 0, 0, 0] } }));
      }
      return read(rows);
    };
    await add([A, B], { commit: 1 });
    expect(await sink.next()).toEqual([B]);
    await sink.acknowledge();
    await sink.next();
    await through();
    expect(sink.acknowledged.map(({ key, value }) => [key, hex(value)])).toEqual([
      [B, ONE],
      [A, null],
    ]);
    expect([reads, publisher.published, publisher.size]).toEqual([1, 2, 0]);
  });

  test('vectors of the last commit come from its rows, all others from the store', async () => {
    const { store, sink, add, sent, through } = await setUp();
    const asked: number[][] = [];
    const read = store.readVectors.bind(store);
    store.readVectors = (rows) => {
      asked.push([...rows]);
      return read(rows);
    };
    // The relation's row 0 comes first; b was put up by a commit before, and stands in the store.
    const floats = Float32Array.of(9, 9, 9, 9, 2, 0, 0, 0);
    const C = user('c');
    await add([{ name: C, row: 6, place: 0 }], { commit: 1 }, Float32Array.of(1, 0, 0, 0));
    expect(await sink.next()).toEqual([C]);
    await add([{ name: B, place: 0 }], { commit: 2 }, floats.slice());
    await add([{ name: A, place: 1 }], { commit: 3, step: 8 }, floats);
    await sink.acknowledge();
    expect(await sink.next()).toEqual([B, A]);
    // The memory is another commit's once the next is written: what is under way is a copy.
    floats.fill(5);
    await through();
    expect(sent()).toEqual([
      [C, ONE, '7'],
      [B, ONE, '7'],
      [A, TWO, '8'],
    ]);
    expect(asked).toEqual([[5]]);
  });

  test('sends the stored vector with its step, and clears it once acknowledged', async () => {
    const { sink, now, publisher, add, dropped, through } = await setUp();
    await add([A, B], { commit: 1, since: 400 });
    expect(publisher.size).toBe(2);
    expect(await sink.next()).toEqual([A, B]);
    expect([publisher.size, publisher.cleared, dropped()]).toEqual([2, 0, []]);
    now.ms = 1_500;
    await through();
    expect(sink.acknowledged.map(({ topic, key, value }) => [topic, key, hex(value)])).toEqual([
      ['vectors', A, ONE],
      ['vectors', B, ONE],
    ]);
    expect(sink.acknowledged[0]?.headers).toEqual({
      graph: 'test',
      dim: '2',
      dtype: 'float32',
      fingerprint: 'f',
      step: '7',
      at: '1234',
      epoch: '3',
      space: 'space',
    });
    expect([publisher.size, publisher.published, publisher.cleared]).toEqual([0, 2, 1]);
    expect(dropped()).toEqual([[1, A, B]]);
    expect([dropped(), publisher.cleared]).toEqual([[], 0]);
    // Arrived at 400, acknowledged at 1,500.
    expect(publisher.latency.quantile(0.5)).toBe(1_100);
  });

  test('measures the age of a vector since its event arrived, and since the event', async () => {
    const { sink, now, measures, publisher, add, through } = await setUp();
    // An event of 250, arrived at 400, named a; b was but one of the negatives.
    await add([{ name: A, eventAt: 250 }, B], { commit: 1, since: 400 });
    expect(publisher.oldest).toBe(400);
    await sink.next();
    now.ms = 1_500;
    await through();
    // Read from the store at 1,000.
    expect(measures.told).toEqual(['fresh 1100 1250', 'publish 500']);
    expect(publisher.oldest).toBeUndefined();
  });

  test('sends a row that moves again while it waits once, with its newest vector', async () => {
    const { sink, move, add, dropped, sent, through } = await setUp();
    await add([B], { commit: 1, since: 400 });
    await sink.next();
    await add([A], { commit: 1, since: 400 });
    await move(4, 2, 8);
    await add([A], { commit: 2, since: 500 });
    await sink.acknowledge();
    expect(await sink.next()).toEqual([A]);
    await through();
    expect(sent()).toEqual([
      [B, ONE, '7'],
      [A, TWO, '8'],
    ]);
    expect(dropped()).toEqual([
      [2, A],
      [1, B],
      [3, A],
    ]);
  });

  test('vectors of one step share their headers', async () => {
    const { sink, move, add, through } = await setUp();
    await add([A, B], { commit: 1, since: 400 });
    await sink.next();
    await through();
    await move(4, 2, 8);
    await add([A, B], { commit: 2, since: 500 });
    await sink.next();
    await through();
    const headers = sink.acknowledged.map((message) => message.headers);
    expect(headers.map(({ step }) => step)).toEqual(['7', '7', '8', '7']);
    expect(headers[1]).toBe(headers[0]);
  });

  test('sends the committed vector of an entity, whatever happened to the entity since', async () => {
    const { store, index, add, sent, through } = await setUp();
    index.remove(A);
    index.remove(B);
    index.add(B, 1);
    await add(
      [
        { name: B, row: 5 },
        { name: A, row: 4 },
      ],
      { commit: 1 },
    );
    await through();
    await store.commit(commitOf({ erasedEntities: [{ key: A, row: 4 }] }));
    await add(
      [
        { name: A, row: undefined },
        { name: B, row: 5 },
      ],
      { commit: 2, step: 8 },
    );
    await through();
    expect(sent()).toEqual([
      [B, ONE, '7'],
      [A, ONE, '7'],
      [A, null, '8'],
      [B, ONE, '7'],
    ]);
  });

  test('sends 8,000 at a time while more than 20,000 wait', async () => {
    const { sink, publisher, add } = await setUp();
    await add(
      Array.from({ length: 29_000 }, (_, i) => user(`u${i}`)),
      { commit: 1 },
    );
    const sizes: number[] = [];
    while (publisher.size > 0) {
      sizes.push((await sink.next()).length);
      await sink.acknowledge();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sizes).toEqual([8_000, 8_000, ...new Array(6).fill(2_000), 1_000]);
    await publisher.drained();
  });

  test('vectors that move with each commit hold up no others, and wait from their last move on', async () => {
    const { sink, now, publisher, add, dropped, through } = await setUp();
    const busy = Array.from({ length: 2_000 }, (_, i) => user(`u${i}`));
    await add([...busy, A], { commit: 1, since: 400 });
    expect(await sink.next()).toEqual(busy);
    await add(busy, { commit: 2, since: 1_200 });
    await add(busy, { commit: 3, since: 1_300 });
    await sink.acknowledge();
    expect(await sink.next()).toEqual([A, ...busy.slice(0, -1)]);
    await add([A], { commit: 4, since: 1_400 });
    // What is in hand of it is not acknowledged yet; parts whose names all moved again are no longer needed.
    expect([publisher.oldest, publisher.size]).toEqual([400, 2_001]);
    expect(dropped().map(([number]) => number)).toEqual([1, 2, 4, 5, 3]);
    now.ms = 1_500;
    await sink.acknowledge();
    expect(await sink.next()).toEqual([...busy.slice(-1), A]);
    expect(publisher.oldest).toBe(1_200);
    await through();
    expect(dropped().map(([number]) => number)).toEqual([6, 7, 8]);
    // 2,000 from 400 to 1,000, one from 400 to 1,500, 2,000 from 1,200 to 1,500, one from 1,400.
    expect(publisher.latency.quantile(0.4)).toBe(300);
    expect(publisher.latency.quantile(1)).toBe(1_100);
    expect(publisher.oldest).toBeUndefined();
  });

  test('stops in the middle of a pause, and unsent vectors stay in the outbox', async () => {
    const { sink, failed, publisher, add, dropped } = await setUp();
    await add([A], { commit: 1 });
    for (let i = 0; i < 2; i++) await sink.outOfReach();
    await new Promise((resolve) => setImmediate(resolve));
    await publisher.stop();
    expect([publisher.size, dropped(), failed]).toEqual([1, [], []]);
    await publisher.drained();
    await add([B], { commit: 2 });
    expect(sink.attempts).toBe(2);
  });

  test('reports the failure that ends sending, and stops', async () => {
    const { sink, failed, publisher, add, dropped } = await setUp();
    await add([A], { commit: 1 });
    const drained = publisher.drained();
    drained.catch(() => undefined);
    await sink.refuse();
    await expect(drained).rejects.toMatchObject({ code: 'not-authorized' });
    expect(failed).toMatchObject([{ code: 'not-authorized' }]);
    expect([publisher.size, dropped()]).toEqual([1, []]);
    await add([B], { commit: 2 });
    await expect(publisher.drained()).rejects.toMatchObject({ code: 'not-authorized' });
    expect(sink.attempts).toBe(1);
  });
});
