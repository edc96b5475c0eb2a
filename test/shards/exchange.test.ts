import { describe, expect, it, test } from 'vitest';
import { entityKey, idOf } from '../../src/graph/entity.ts';
import { headSchema } from '../../src/graph/head.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { decodeParcel, encodeParcel, nameEnd } from '../../src/shards/parcel.ts';
import { FaultySink } from '../pipeline/faulty-sink.ts';
import { turns } from '../pipeline/updater-fixture.ts';
import {
  DIM,
  exchangeOf,
  FINGERPRINT,
  handed,
  idsIn,
  MODEL,
  outgoing,
  parcelOf,
  RELATION_FLOATS,
  recordOf,
  SPACE,
  usersOf,
} from './exchange-fixture.ts';
import { EXCHANGE } from './shards-fixture.ts';

const QUIET = { pace: { quietMs: 10_000 } };
const [own, otherOwn] = usersOf(0, 2);
const [foreign, later] = usersOf(1, 2);

describe('sending', () => {
  it.each([2, 3, 16, 255])('puts what is for a shard into its partition, of %s', async (count) => {
    const { exchange, index, send, published } = exchangeOf({ shard: { index: 1, count } });
    const row = index.add(entityKey('user', 'é'), 0);
    exchange.begin();
    await send(outgoing(Array.from({ length: count }, () => ({ vectors: [row] }))), 4);
    const partitions = published.map(({ key }) => shardOf(String(key), count));
    expect(partitions).toEqual(Array.from({ length: count }, (_, i) => i).filter((i) => i !== 1));
    for (const { topic, headers, value } of published) {
      expect([topic, headers]).toEqual([EXCHANGE, { graph: 'g', fingerprint: FINGERPRINT, space: SPACE }]);
      const parcel = decodeParcel(value, DIM);
      expect(parcel).toMatchObject({ from: 1, run: 'here', first: 0, last: 4, part: 0 });
      expect(idsIn(parcel.vectors)).toEqual(['é']);
    }
    expect(exchange.progress).toMatchObject({ sentVectors: count - 1, sentGradients: 0, waiting: 5 });
    const bytes = published.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    expect(exchange.progress.sentBytes).toBe(bytes);
  });

  it('sends nothing before it begins, and then nothing of what was trained before', async () => {
    const { exchange, index, time, send, to } = exchangeOf(QUIET);
    const row = index.add(entityKey('user', 'a'), 0);
    await send(outgoing([{}, { gradients: [row] }, {}]), 4);
    time.now = 1e9;
    exchange.look();
    await exchange.sent();
    expect([...to(1), ...to(2)]).toEqual([]);
    exchange.begin();
    await exchange.sent();
    expect(to(1)).toEqual([]);
    await send(outgoing([{}, { gradients: [row] }, {}]), 3);
    expect(to(1)).toMatchObject([{ first: 4, last: 7 }]);
  });

  it('makes no parcel for a shard with nothing to get, and one of relation vectors for each', async () => {
    const { exchange, send, to, published } = exchangeOf();
    exchange.begin();
    await send(outgoing([{}, {}, {}]));
    expect(published).toEqual([]);
    const relations = Float32Array.from({ length: RELATION_FLOATS }, (_, i) => i);
    await send(outgoing([{}, {}, {}], relations));
    expect([...to(1), ...to(2)].map((parcel) => parcel.relations)).toEqual([relations, relations]);
  });

  it('cuts what is over 400,000 bytes, gradients as well, and sends relation vectors once, behind', async () => {
    const { exchange, index, send, to } = exchangeOf();
    const rows = Array.from({ length: 3_500 }, (_, i) => index.add(entityKey('user', `${i}`), 0));
    exchange.begin();
    const relations = new Float32Array(RELATION_FLOATS).fill(1);
    await send(outgoing([{}, { vectors: rows, gradients: rows.slice(0, 1_600) }, {}], relations));
    const parcels = to(1);
    expect(parcels.map(({ part }) => part)).toEqual([0, 1, 2, 3]);
    // A vector of four numbers with its accumulator, and the longest name, have 10 + 258 bytes.
    expect(parcels.map(({ vectors }) => vectors.count)).toEqual([1_492, 1_492, 516, 0]);
    expect(parcels.map(({ gradients }) => gradients.count)).toEqual([1_492, 108, 0, 0]);
    expect(parcels.map((parcel) => parcel.relations.length)).toEqual([0, 0, 0, RELATION_FLOATS]);
    expect(parcels.flatMap(({ vectors }) => idsIn(vectors))).toEqual(rows.map((_, i) => `${i}`));
  });

  it.each([4, 128, 1_024])('has no parcel that a broker would refuse, with %i numbers', async (dim) => {
    const { exchange, index, published } = exchangeOf({ model: { ...MODEL, dim } });
    const rows = Int32Array.from({ length: 2_000 }, (_, i) =>
      index.add(entityKey('user', `${i}`.padEnd(256, '-')), 0),
    );
    exchange.begin();
    const vectors = (width: number) => ({ rows, halves: new Float16Array(rows.length * width) });
    const none = { rows: new Int32Array(), halves: new Float16Array() };
    const nothing = { gradients: none, vectors: none };
    const to = [nothing, { gradients: vectors(dim), vectors: vectors(dim + 1) }, nothing];
    exchange.hand(64).trained({ to, waiting: 0 });
    await exchange.sent();
    for (const { value } of published) expect(value!.length).toBeLessThan(900_000);
    const sent = published.map(({ value }) => decodeParcel(value, dim));
    const total = (of: 'vectors' | 'gradients') => sent.reduce((sum, parcel) => sum + parcel[of].count, 0);
    expect([total('vectors'), total('gradients')]).toEqual([2_000, 2_000]);
  });

  it('says in the head what is acknowledged, and sends the rest again after a start, under the same names', async () => {
    const sink = new FaultySink();
    const before = exchangeOf({ sink });
    const row = before.index.add(own!, 0);
    before.exchange.begin();
    const trained = outgoing([{}, { gradients: [row] }, {}]);
    const batches = [8, 0, 4].map((edges) => before.exchange.hand(edges));
    const sentOf = ({ exchange }: typeof before) => exchange.head().shard?.sent;
    batches[0]!.trained(trained);
    await sink.next();
    // These come while the first is on its way.
    for (const batch of batches.slice(1)) batch.trained(trained);
    const through = before.exchange.sent().then(() => 12);
    expect([sentOf(before), before.exchange.behind]).toEqual([0, false]);
    await sink.acknowledge();
    await sink.next();
    await turns(1);
    expect([sentOf(before), await Promise.race([through, 8])]).toEqual([8, 8]);
    await sink.acknowledge();
    expect([await through, sentOf(before)]).toEqual([12, 12]);
    const unsent = batches.map(({ part }) => ({ range: part.shard!.range, outgoing: trained }));
    const head = { ...before.exchange.head().shard!, sent: 8 };
    const after = exchangeOf({ head, unsent, index: before.index });
    await after.exchange.sent();
    expect(after.published).toEqual([]);
    after.exchange.begin();
    await after.exchange.sent();
    const first = sink.acknowledged.map(({ value }) => value);
    expect([after.published.map(({ value }) => value), sentOf(after)]).toEqual([first, 12]);
  });

  it('leaves out what was erased since it was trained', async () => {
    const { exchange, index, send, to } = exchangeOf();
    const keys = ['a', 'b', 'c'].map((id) => entityKey('user', id));
    const rows = keys.map((key) => index.add(key, 0));
    exchange.begin();
    index.remove(keys[1]!);
    await send(outgoing([{}, { gradients: rows, vectors: rows }, {}]));
    const [{ gradients, vectors } = parcelOf({})] = to(1);
    expect([gradients, vectors].map((each) => idsIn(each).join())).toEqual(['a,c', 'a,c']);
    expect([gradients.halves[DIM], vectors.halves[DIM + 1]]).toEqual([rows[2], rows[2]]);
  });

  it('is never through after a delivery that failed for good', async () => {
    const sink = new FaultySink();
    const { exchange, index, failures } = exchangeOf({ sink });
    exchange.begin();
    exchange.hand(1).trained(outgoing([{}, { gradients: [index.add(entityKey('user', 'a'), 0)] }, {}]));
    await sink.next();
    await sink.refuse();
    await expect(exchange.sent()).rejects.toThrow();
    await expect(exchange.sent()).rejects.toThrow();
    expect([failures.length, exchange.head().shard?.sent]).toEqual([1, 0]);
  });
});

describe('a shard that has nothing to say', () => {
  it('sends each other shard an empty parcel after some time, with a batch or without one', async () => {
    const { exchange, index, time, send, to } = exchangeOf(QUIET);
    const row = index.add(own!, 0);
    exchange.begin();
    const counts = () => [1, 2].map((shard) => to(shard).length);
    time.now = 9_999;
    exchange.look();
    await send(outgoing([{}, { vectors: [row] }, {}]));
    expect(counts()).toEqual([1, 0]);
    time.now = 10_000;
    for (let looks = 0; looks < 2; looks++) exchange.look();
    await exchange.sent();
    expect(counts()).toEqual([1, 1]);
    expect(to(2)[0]).toMatchObject({ gradients: { count: 0 }, vectors: { count: 0 } });
    time.now = 20_000;
    await send(outgoing([{}, {}, { vectors: [row] }]));
    expect(counts()).toEqual([2, 2]);
  });

  it('keeps no pile of empty parcels while the brokers are away', async () => {
    const sink = new FaultySink();
    const { exchange, time } = exchangeOf({ ...QUIET, sink });
    exchange.begin();
    time.now = 10_000;
    exchange.look();
    await sink.next();
    for (let looks = 2; looks < 9; looks++) {
      time.now = looks * 10_000;
      exchange.look();
    }
    // Those on their way when the brokers went, and those behind them.
    await sink.acknowledge();
    await sink.next();
    await sink.acknowledge();
    await exchange.sent();
    expect(sink.acknowledged).toHaveLength(4);
  });
});

describe('gradients', () => {
  it('are those of own rows, and say that the sender uses a copy; of an unknown entity they are passed over', () => {
    const { exchange, index, receive } = exchangeOf();
    const row = index.add(own!, 0);
    const gradients = [[entityKey('tweet', 'x'), 1] as const, [own!, 2] as const];
    receive(recordOf(encodeParcel(parcelOf({ gradients }), DIM)));
    receive(recordOf(encodeParcel(parcelOf({ gradients, from: 2 }), DIM)));
    receive(recordOf(encodeParcel(parcelOf({ wanted: [own!, otherOwn!] }), DIM)));
    const { gradients: got, inUse } = handed(exchange, 0);
    const { rows, shards, wanted } = inUse;
    const lists = [got.rows, rows, shards, wanted].map((each) => each.join());
    expect(lists).toEqual([`${row},${row}`, `${row},${row}`, '1,2', '1,0']);
    const counts = { receivedGradients: 4, strayGradients: 2, repeatedGradients: 0 };
    expect(exchange.progress).toMatchObject(counts);
  });

  it('that come again are counted and not applied, also after a start from a commit', () => {
    const before = exchangeOf();
    before.index.add(own!, 0);
    const gradients = [[own!, 1] as const];
    const counts = [1, 1].map(() => before.received(parcelOf({ gradients })).gradients.length);
    expect(counts).toEqual([1, 0]);
    expect(before.exchange.progress).toMatchObject({ receivedGradients: 1, repeatedGradients: 1 });
    before.exchange.hand(12);
    const head = headSchema.shape.shard.parse(JSON.parse(JSON.stringify(before.exchange.head().shard)));
    const after = exchangeOf({ head: head!, freshRun: 'not this' });
    after.index.add(own!, 0);
    expect(after.exchange.head()).toEqual(before.exchange.head());
    expect(after.received(parcelOf({ gradients })).gradients).toEqual([]);
    expect(after.received(parcelOf({ gradients, first: 10, last: 11 })).gradients).toHaveLength(1);
  });

  it('of batches without new edges are applied, and once too', async () => {
    const sender = exchangeOf({ shard: { index: 1, count: 3 }, freshRun: 'there', pace: { quietMs: 0 } });
    const row = sender.index.add(own!, 0);
    sender.exchange.begin();
    // Edges that waited for a vector are trained with whatever batch comes next, new edges or none.
    const batches = [8, 0, 0, 4, 0].map((edges) => sender.exchange.hand(edges));
    for (const batch of batches) {
      batch.trained(outgoing([{ gradients: [row] }, {}, { vectors: [row] }]));
      await sender.exchange.sent();
      sender.exchange.look();
    }
    await sender.exchange.sent();
    const parcels = sender.to(0).filter(({ gradients: { count } }) => count > 0);
    expect(parcels.map(({ last, part }) => `${last}.${part}`)).toEqual(['8.0', '8.1', '8.2', '12.0', '12.1']);
    const receiver = exchangeOf();
    receiver.index.add(own!, 0);
    for (const times of [1, 0])
      for (const parcel of parcels) expect(receiver.received(parcel).gradients).toHaveLength(times);
  });
});

describe('vectors', () => {
  it('make a copy of an entity that is not known yet, and set that of one that is', () => {
    const { exchange, index, named, received } = exchangeOf();
    const first = received(parcelOf({ vectors: [[foreign!, 1]] }));
    expect([first.vectors, named]).toEqual([[[2, 1]], [[foreign, 2, 1]]]);
    expect([[...first.copies.rows], [...first.copies.owners]]).toEqual([[2], [1]]);
    expect(index.state(2).firstSeen).toBe(1_000);
    const tweet = entityKey('tweet', 'é'.repeat(128));
    const second = received(parcelOf({ vectors: [[tweet, 2] as const, [foreign!, 3] as const] }));
    expect(second.vectors.map(String)).toEqual(['3,2', '2,3']);
    expect([[...second.copies.rows], index.keyAt(3)]).toEqual([[3], tweet]);
    expect(exchange.progress).toMatchObject({ receivedVectors: 3, copies: 2 });
  });

  it('make no copy of an erased entity, an own one, or one of a type that the graph has not', () => {
    const { index, received } = exchangeOf({ erased: (key) => key === foreign });
    const keys = [foreign!, own!, later!, entityKey('user', 'ad')];
    const parcel = parcelOf({ vectors: keys.map((key, i) => [key, i + 1] as const) });
    const names = Buffer.from(parcel.vectors.names);
    names[nameEnd(names, nameEnd(names, nameEnd(names, 0)))] = 9;
    expect(received({ ...parcel, vectors: { ...parcel.vectors, names } }).vectors).toEqual([[2, 3]]);
    expect([index.size, index.find(later!)]).toEqual([1, 2]);
  });

  it('make no copy of bytes that are no text', () => {
    const { index, received } = exchangeOf();
    // Of several lengths: what they would be read as belongs to other shards too.
    const ids = Array.from({ length: 8 }, (_, i) => Buffer.alloc(1 + i, 0xff));
    const names = Buffer.concat(ids.flatMap((id) => [Buffer.from([0, id.length - 1]), id]));
    const parcel = parcelOf({ vectors: ids.map(() => [foreign!, 1] as const) });
    received({ ...parcel, vectors: { ...parcel.vectors, names } });
    expect(index.size).toBe(0);
  });

  it('of a row that starts again, and gradients of it, are forgotten with what came before', () => {
    const { exchange, index, receive } = exchangeOf();
    const keys = [own!, otherOwn!];
    const rows = keys.map((key) => index.add(key, 0));
    const gradients = keys.map((key) => [key, 1] as const);
    receive(recordOf(encodeParcel(parcelOf({ gradients }), DIM)));
    exchange.reset(rows[0]!, own!);
    expect([...handed(exchange, 0).gradients.rows]).toEqual([rows[1]]);
    receive(recordOf(encodeParcel(parcelOf({ gradients, from: 2 }), DIM)));
    exchange.dropped(rows[1]!, otherOwn!);
    expect([...handed(exchange, 0).gradients.rows]).toEqual([rows[0]]);
  });
});

describe('a copy without a vector', () => {
  function wanting(parts: Parameters<typeof exchangeOf>[0] = {}) {
    const all = exchangeOf({ pace: { wantMs: 100 }, ...parts });
    all.exchange.begin();
    /** A copy that an edge made. */
    const copy = (key: typeof foreign) => {
      const row = all.index.add(key!, 0);
      all.exchange.named(row, key!, 1);
      return row;
    };
    const asked = async () => {
      all.exchange.look();
      await all.exchange.sent();
      return all.to(1).map(({ wanted }) => idsIn(wanted));
    };
    return { ...all, copy, asked };
  }

  it('is asked for after a while, though there is no batch to send, and again after sixty times as long', async () => {
    const { exchange, time, copy, asked, to } = wanting();
    copy(foreign);
    expect(await asked()).toEqual([]);
    for (const now of [100, 5_900, 6_100, 6_200]) {
      time.now = now;
      await asked();
    }
    expect(await asked()).toEqual([[idOf(foreign!)], [idOf(foreign!)]]);
    expect([to(2), exchange.progress.asked]).toEqual([[], 2]);
  });

  it('is not asked for once its vector came, or it is gone, and is once its entity starts again', async () => {
    const { exchange, time, copy, asked, received } = wanting();
    const [first, second] = [copy(foreign), copy(later)];
    received(parcelOf({ vectors: [[foreign!, 1]] }));
    exchange.dropped(second, later!);
    time.now = 100;
    expect(await asked()).toEqual([]);
    exchange.reset(first, foreign!);
    time.now = 200;
    expect(await asked()).toEqual([[idOf(foreign!)]]);
  });
});

test('leases turn every ten minutes, with the next batch', () => {
  const { exchange, time } = exchangeOf();
  const turns = (now: number) => {
    time.now = now;
    return handed(exchange, 1).turn;
  };
  expect([0, 599_999, 600_000, 600_001, 1_199_999, 1_200_000].map(turns)).toEqual([
    ...[false, false, true, false, false, true],
  ]);
});

describe('relation vectors', () => {
  const relations = (number: number) => new Float32Array(RELATION_FLOATS).fill(number);

  it('are merged after so many edges, the newest of each sender once, and after some time', () => {
    const { exchange, time, received } = exchangeOf();
    /** The first number of each copy that is merged with a batch of so many edges; undefined: none is. */
    const merged = (edges: number, now: number) => {
      time.now = now;
      const { wantsRelations, relations: copies } = handed(exchange, edges);
      return wantsRelations ? copies.map((copy) => copy[0]) : undefined;
    };
    received(parcelOf({ from: 1, relations: relations(1) }));
    received(parcelOf({ from: 2, relations: relations(2) }));
    received(parcelOf({ from: 1, relations: relations(3) }));
    const counted = [60, 39, 1, 99, 1].map((edges) => merged(edges, 0));
    expect(counted).toEqual([undefined, undefined, [3, 2], undefined, []]);
    expect([merged(1, 1_999), merged(0, 2_000), merged(1, 2_000)]).toEqual([undefined, [], undefined]);
    expect([merged(0, 4_000), merged(0, 9_000)]).toEqual([[], undefined]);
  });
});
