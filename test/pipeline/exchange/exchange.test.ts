import { describe, expect, it, test, vi } from 'vitest';
import { type EntityKey, entityKey, idOf, typeOf } from '../../../src/graph/entity.ts';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { headSchema } from '../../../src/graph/head.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { Exchange, type ExchangeOptions, type ShardHead } from '../../../src/pipeline/exchange/exchange.ts';
import { decodeParcel, encodeParcel, nameEnd, type Parcel } from '../../../src/pipeline/exchange/parcel.ts';
import type { Message, SourceRecord } from '../../../src/pipeline/ports.ts';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import { OpenShardBatch } from '../../../src/pipeline/training/open-shard-batch.ts';
import type { Outgoing, RowVectors } from '../../../src/pipeline/training/trainer.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { MemoryLog } from '../memory-log.ts';
import { EXCHANGE } from '../shards-fixture.ts';

const DIM = 4;
const TYPES = ['user', 'tweet'];
const FINGERPRINT = 'f00d';
const SPACE = 'shared';
/** A relation's row and its reverse, vector and accumulator each. */
const RELATION_FLOATS = 2 * (DIM + 1);

/** The first `many` users of a shard among `count`. */
function usersOf(shard: number, count: number, many = 1): EntityKey[] {
  const found: EntityKey[] = [];
  for (let i = 0; found.length < many; i++) {
    const key = entityKey('user', `${i}`);
    if (shardOf(key, count) === shard) found.push(key);
  }
  return found;
}

function set(overrides: Partial<ExchangeOptions> & { index?: EntityIndex; head?: ShardHead } = {}) {
  const { index = new EntityIndex(2, TYPES), head, ...rest } = overrides;
  const log = new MemoryLog();
  const failures: Error[] = [];
  const exchange = new Exchange(
    {
      ...{ shard: { graph: 'g', index: 0, count: 3 }, topic: EXCHANGE, fingerprint: FINGERPRINT, dim: DIM },
      space: SPACE,
      ...{ index, entityTypes: TYPES, relationRows: 2, erased: () => false, sink: log.sink() },
      copies: () => 0,
      ...{ log: keptLog(), freshRun: 'here', pace: { mergeEdges: 100, mergeMs: 2_000 }, clock: () => 0 },
      failed: (error) => failures.push(error),
      ...rest,
    },
    head,
  );
  return { exchange, index, log, failures };
}

const batchOf = () => new OpenBatch(new OpenShardBatch(DIM));

/** What tells parcels of a sender apart. */
type Range = Partial<Pick<Parcel, 'from' | 'run' | 'first' | 'last' | 'part'>>;

/** `width` numbers of which the first is given. */
const numbers = (first: number, width: number) => [first, ...new Array<number>(width - 1).fill(0)];

type Named = readonly (readonly [key: EntityKey, first: number])[];

/** Gradients, or vectors with their accumulators, whose first number tells them apart. */
function namedOf(list: Named, width = DIM) {
  const names = list.map(([key]) => {
    const bytes = Buffer.from(idOf(key));
    return Buffer.concat([Buffer.from([TYPES.indexOf(typeOf(key)), bytes.length - 1]), bytes]);
  });
  const halves = Float16Array.from(list.flatMap(([, first]) => numbers(first, width)));
  return { count: list.length, names: Buffer.concat(names), halves };
}

function parcelOf(
  parts: {
    gradients?: Named;
    vectors?: Named;
    wanted?: readonly EntityKey[];
  } & Partial<Omit<Parcel, 'gradients' | 'vectors' | 'wanted'>>,
): Parcel {
  const { gradients = [], vectors = [], wanted = [], ...rest } = parts;
  const listOf = (keys: readonly EntityKey[]) => {
    const { count, names } = namedOf(keys.map((key) => [key, 0]));
    return { count, names };
  };
  return {
    ...{ from: 1, run: 'there', first: 0, last: 10, part: 0, relations: new Float32Array(0), ...rest },
    ...{ gradients: namedOf(gradients), vectors: namedOf(vectors, DIM + 1) },
    wanted: listOf(wanted),
  };
}

function recordOf(value: Buffer | null, headers: Record<string, Buffer> = {}): SourceRecord {
  return { topic: EXCHANGE, partition: 0, offset: 7, timestamp: 1_000, key: null, value, headers };
}

/** Row and first number of each. */
function listed({ rows, halves }: RowVectors, width = DIM): [number, number][] {
  return [...rows].map((row, i) => [row, halves[i * width]!]);
}

/** What the next batch of the trainer gets of a parcel. */
function received(exchange: Exchange, parcel: Parcel) {
  const batch = batchOf();
  const touched = new Set<number>();
  exchange.receive(parcel, batch, 1_000, touched);
  const { newTypes, reused, shard } = batch.close();
  return {
    ...{ newTypes: [...newTypes], homes: [...shard!.newHomes], reused, touched: [...touched] },
    reusedHomes: [...shard!.reusedHomes],
    gradients: listed(shard!.gradients),
    vectors: listed(shard!.vectors, DIM + 1),
  };
}

/** What a trainer has for others: by shard, rows of gradients and of vectors; each vector begins with its row. */
function outgoing(
  to: readonly { gradients?: readonly number[]; vectors?: readonly number[] }[],
  relations?: Float32Array,
): Outgoing {
  const vectors = (rows: readonly number[] = [], width = DIM): RowVectors => ({
    rows: Int32Array.from(rows),
    halves: Float16Array.from(rows.flatMap((row) => numbers(row, width))),
  });
  return {
    to: to.map((each) => ({ gradients: vectors(each.gradients), vectors: vectors(each.vectors, DIM + 1) })),
    ...(relations && { relations }),
    waiting: 5,
  };
}

const parcelIn = ({ value }: Message) => decodeParcel(value, DIM);

/** Ids in the names of a parcel. */
function idsIn(names: Uint8Array): string[] {
  const ids: string[] = [];
  for (let start = 0, end = 0; start < names.length; start = end) {
    end = nameEnd(names, start);
    ids.push(Buffer.from(names.subarray(start + 2, end)).toString());
  }
  return ids;
}

describe('sending', () => {
  it.each([2, 3, 16, 256])('puts what is for a shard into its partition, of %s', async (count) => {
    const { exchange, index, log } = set({ shard: { graph: 'g', index: 1, count } });
    const row = index.add(entityKey('user', 'é'), 0);
    exchange.begin();
    const all = Array.from({ length: count }, () => ({ vectors: [row] }));
    exchange.send(outgoing(all), exchange.hand(batchOf(), 4));
    await exchange.sent();
    const partitions = log.published.map(({ key }) => shardOf(String(key), count));
    expect(partitions).toEqual(Array.from({ length: count }, (_, i) => i).filter((i) => i !== 1));
    for (const message of log.published) {
      expect(message.topic).toBe(EXCHANGE);
      expect(message.headers).toEqual({ graph: 'g', fingerprint: FINGERPRINT, space: SPACE });
      expect(parcelIn(message)).toMatchObject({ from: 1, run: 'here', first: 0, last: 4, part: 0 });
      expect(idsIn(parcelIn(message).vectors.names)).toEqual(['é']);
    }
    expect(exchange.counts).toMatchObject({ sentVectors: count - 1, sentGradients: 0, waiting: 5 });
    expect(exchange.counts.sentBytes).toBe(
      log.published.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0),
    );
  });

  it('sends nothing before it begins, and then nothing of what was trained before', async () => {
    const { exchange, index, log } = set();
    const row = index.add(entityKey('user', 'a'), 0);
    exchange.send(outgoing([{}, { gradients: [row] }, {}]), exchange.hand(batchOf(), 4));
    await exchange.sent();
    exchange.begin();
    await exchange.sent();
    expect(log.published).toEqual([]);
    exchange.send(outgoing([{}, { gradients: [row] }, {}]), exchange.hand(batchOf(), 3));
    await exchange.sent();
    expect(log.published.map(parcelIn)).toMatchObject([{ first: 4, last: 7 }]);
  });

  it('makes no parcel for a shard with nothing to get, and one of relation vectors for each', async () => {
    const { exchange, log } = set();
    exchange.begin();
    exchange.send(outgoing([{}, {}, {}]), exchange.hand(batchOf(), 4));
    await exchange.sent();
    expect(log.published).toEqual([]);
    const relations = Float32Array.from({ length: RELATION_FLOATS }, (_, i) => i);
    exchange.send(outgoing([{}, {}, {}], relations), exchange.hand(batchOf(), 4));
    await exchange.sent();
    expect(log.published.map((message) => [...parcelIn(message).relations])).toEqual([
      [...relations],
      [...relations],
    ]);
  });

  it('cuts what is over 400,000 bytes, gradients as well, and sends relation vectors once, behind', async () => {
    const { exchange, index, log } = set();
    const rows = Array.from({ length: 3_500 }, (_, i) => index.add(entityKey('user', `${i}`), 0));
    exchange.begin();
    const relations = new Float32Array(RELATION_FLOATS).fill(1);
    const parts = outgoing([{}, { vectors: rows, gradients: rows.slice(0, 1_600) }, {}], relations);
    exchange.send(parts, exchange.hand(batchOf(), 64));
    await exchange.sent();
    const parcels = log.published.filter(({ key }) => shardOf(String(key), 3) === 1).map(parcelIn);
    expect(parcels.map(({ part }) => part)).toEqual([0, 1, 2, 3]);
    // A vector of four numbers with its accumulator, and the longest name, have 10 + 258 bytes.
    expect(parcels.map(({ vectors }) => vectors.count)).toEqual([1_492, 1_492, 516, 0]);
    expect(parcels.map(({ gradients }) => gradients.count)).toEqual([1_492, 108, 0, 0]);
    expect(parcels.map((parcel) => parcel.relations.length)).toEqual([0, 0, 0, RELATION_FLOATS]);
    expect(parcels.flatMap(({ vectors }) => idsIn(vectors.names))).toEqual(rows.map((_, i) => `${i}`));
    const firsts = parcels.flatMap(({ vectors: { halves, count } }) =>
      Array.from({ length: count }, (_, i) => halves[i * (DIM + 1)]),
    );
    // Rows above 2,048 are not whole numbers of half precision.
    expect(firsts).toEqual(rows.map((row) => Math.f16round(row)));
  });

  it.each([4, 128, 256, 1_024])('has no parcel that a broker would refuse, with %i numbers', async (dim) => {
    const { exchange, index, log } = set({ dim });
    const rows = Array.from({ length: 2_000 }, (_, i) =>
      index.add(entityKey('user', `${i}`.padEnd(256, '-')), 0),
    );
    exchange.begin();
    const vectors = (width: number) => ({
      rows: Int32Array.from(rows),
      halves: new Float16Array(rows.length * width),
    });
    const parts = { gradients: vectors(dim), vectors: vectors(dim + 1) };
    const nothing = { gradients: { rows: new Int32Array(), halves: new Float16Array() } };
    const none = { ...nothing, vectors: nothing.gradients };
    const relations = new Float32Array(2 * (dim + 1));
    exchange.send({ to: [none, parts, none], relations, waiting: 0 }, exchange.hand(batchOf(), 64));
    await exchange.sent();
    const parcels = log.published.filter(({ key }) => shardOf(String(key), 3) === 1);
    for (const { value } of parcels) expect(value!.length).toBeLessThan(900_000);
    const sent = parcels.map(({ value }) => decodeParcel(value, dim));
    const total = (of: 'vectors' | 'gradients') => sent.reduce((sum, parcel) => sum + parcel[of].count, 0);
    expect([total('vectors'), total('gradients')]).toEqual([2_000, 2_000]);
  });

  it('leaves out what was erased since it was trained', async () => {
    const { exchange, index, log } = set();
    const keys = ['a', 'b', 'c'].map((id) => entityKey('user', id));
    const rows = keys.map((key) => index.add(key, 0));
    exchange.begin();
    index.remove(keys[1]!);
    exchange.send(outgoing([{}, { gradients: rows, vectors: rows }, {}]), exchange.hand(batchOf(), 4));
    await exchange.sent();
    const [parcel] = log.published.map(parcelIn);
    for (const [part, width] of [[parcel!.gradients, DIM] as const, [parcel!.vectors, DIM + 1] as const]) {
      expect([part.count, idsIn(part.names)]).toEqual([2, ['a', 'c']]);
      expect([part.halves[0], part.halves[width]]).toEqual([rows[0], rows[2]]);
    }
  });

  it('is through once all is acknowledged, and never after a delivery that failed for good', async () => {
    const sink = new FaultySink();
    const { exchange, index, failures } = set({ sink });
    const row = index.add(entityKey('user', 'a'), 0);
    exchange.begin();
    const send = () => exchange.send(outgoing([{}, { gradients: [row] }, {}]), exchange.hand(batchOf(), 1));
    send();
    const first = exchange.sent();
    await sink.next();
    // Comes while the first is on its way.
    send();
    let through = false;
    const second = exchange.sent().then(() => {
      through = true;
    });
    await sink.acknowledge();
    await first;
    await sink.next();
    expect(through).toBe(false);
    await sink.acknowledge();
    await second;
    expect(sink.acknowledged.map((message) => parcelIn(message).last)).toEqual([1, 2]);
    send();
    await sink.next();
    await sink.refuse();
    await expect(exchange.sent()).rejects.toThrow();
    await expect(exchange.sent()).rejects.toThrow();
    expect(failures).toHaveLength(1);
  });
});

describe('gradients', () => {
  const [own] = usersOf(0, 3);
  const gradients: Named = [[own!, 1]];

  function receiver() {
    const all = set();
    const row = all.index.add(own!, 0);
    return { ...all, row };
  }

  /** Which of the parcels have gradients that are applied. */
  function applied(exchange: Exchange, ranges: readonly Range[]): boolean[] {
    return ranges.map((range) => received(exchange, parcelOf({ ...range, gradients })).gradients.length > 0);
  }

  it('are those of own rows; of an unknown entity they are counted and passed over', () => {
    const { exchange, row } = receiver();
    const parcel = parcelOf({
      gradients: [
        [entityKey('tweet', 'x'), 1],
        [own!, 2],
      ],
    });
    expect(received(exchange, parcel)).toMatchObject({ gradients: [[row, 2]], newTypes: [], touched: [] });
    expect(exchange.counts).toMatchObject({ receivedGradients: 2, strayGradients: 1, repeatedGradients: 0 });
  });

  it('of one parcel are applied once, and counted when they come again', () => {
    const { exchange } = receiver();
    expect(applied(exchange, [{}, {}, { first: 10, last: 20 }, {}])).toEqual([true, false, true, false]);
    expect(exchange.counts).toMatchObject({ receivedGradients: 2, repeatedGradients: 2 });
  });

  it('of all parts of a range are applied, each once', () => {
    const { exchange } = receiver();
    const parts = [0, 1, 2].map((part) => ({ part }));
    expect(applied(exchange, parts)).toEqual([true, true, true]);
    expect(applied(exchange, parts)).toEqual([false, false, false]);
  });

  it('of a range that was trained before are refused, however it is cut now', () => {
    const { exchange } = receiver();
    expect(applied(exchange, [{ last: 100 }, { first: 100, last: 200, part: 0 }])).toEqual([true, true]);
    const again = [
      { first: 0, last: 60 },
      { first: 60, last: 120 },
      { first: 120, last: 200, part: 1 },
      { first: 150, last: 260 },
    ];
    expect(applied(exchange, again)).toEqual([false, false, false, false]);
    expect(
      applied(exchange, [
        { first: 200, last: 210 },
        { first: 260, last: 270 },
      ]),
    ).toEqual([true, true]);
  });

  it('of a new run of the sender are accepted from its first edge on, and those of other senders go by their own ranges', () => {
    const { exchange } = receiver();
    expect(applied(exchange, [{ last: 500 }, { last: 50 }])).toEqual([true, false]);
    expect(applied(exchange, [{ from: 2, last: 50 }])).toEqual([true]);
    expect(
      applied(exchange, [
        { run: 'fresh', last: 50 },
        { run: 'fresh', last: 50 },
      ]),
    ).toEqual([true, false]);
  });

  it('of a parcel without gradients: it does not stand in the way of those that follow', () => {
    const { exchange } = receiver();
    received(exchange, parcelOf({ last: 900, vectors: [[usersOf(1, 3)[0]!, 1]] }));
    expect(applied(exchange, [{ last: 10 }])).toEqual([true]);
  });

  it('are remembered in the head, which a store can hold', () => {
    const { exchange } = receiver();
    applied(exchange, [{ last: 100 }, { from: 2, run: 'other', first: 40, last: 50, part: 3 }]);
    exchange.hand(batchOf(), 12);
    const written = { ...exchange.head(), edges: {}, entities: {} };
    const head = headSchema.shape.shard.parse(JSON.parse(JSON.stringify(written)));
    expect(head).toEqual({
      ...{ index: 0, count: 3, run: 'here', trained: 12, edges: {}, entities: {} },
      received: {
        1: { run: 'there', first: 0, last: 100, part: 0 },
        2: { run: 'other', first: 40, last: 50, part: 3 },
      },
    });
    const next = set({ head: head!, freshRun: 'not this' });
    next.index.add(own!, 0);
    expect(next.exchange.head()).toEqual(exchange.head());
    const ranges = [
      { last: 100 },
      { from: 2, run: 'other', first: 40, last: 50, part: 3 },
      { first: 100, last: 101 },
    ];
    expect(applied(next.exchange, ranges)).toEqual([false, false, true]);
    expect(next.exchange.hand(batchOf(), 5)).toEqual({ first: 12, last: 17 });
  });

  it('of batches without new edges are applied, and once too', async () => {
    const sender = set({ shard: { graph: 'g', index: 1, count: 3 }, freshRun: 'there', quietMs: 0 });
    sender.index.add(own!, 0);
    sender.exchange.begin();
    // Edges that waited for a vector are trained with whatever batch comes next, new edges or none.
    const ranges = [8, 0, 0, 4, 0].map((edges) => sender.exchange.hand(batchOf(), edges));
    for (const range of ranges) {
      sender.exchange.send(outgoing([{ gradients: [2] }, {}, { vectors: [2] }]), range);
      await sender.exchange.sent();
      sender.exchange.look();
    }
    await sender.exchange.sent();
    const toThis = sender.log.published.filter(({ key }) => shardOf(String(key), 3) === 0);
    const parcels = toThis.map(parcelIn).filter(({ gradients: { count } }) => count > 0);
    expect(toThis.length).toBeGreaterThan(parcels.length);
    expect(parcels.map(({ last, part }) => [last, part])).toEqual([
      ...[
        [8, 0],
        [8, 1],
        [8, 2],
      ],
      ...[
        [12, 0],
        [12, 1],
      ],
    ]);
    const { exchange } = receiver();
    const taken = parcels.map((parcel) => received(exchange, parcel).gradients.length);
    expect(taken).toEqual([1, 1, 1, 1, 1]);
    for (const parcel of parcels) expect(received(exchange, parcel).gradients).toEqual([]);
  });
});

describe('vectors', () => {
  const [foreign, later] = usersOf(1, 3, 2);
  const [own] = usersOf(0, 3);

  it('make a row for an entity that is not known yet, and set that of one that is', () => {
    const { exchange, index } = set();
    const first = received(exchange, parcelOf({ vectors: [[foreign!, 1]] }));
    expect(first).toMatchObject({ newTypes: [0], homes: [1], touched: [2], vectors: [[2, 1]] });
    expect([index.find(foreign!), index.record(2)?.firstSeen]).toEqual([2, 1_000]);
    const tweet = entityKey('tweet', 'é'.repeat(128));
    const home = shardOf(tweet, 3);
    expect(home).not.toBe(0);
    const second = received(
      exchange,
      parcelOf({
        vectors: [
          [tweet, 2],
          [foreign!, 3],
        ],
      }),
    );
    expect(second).toMatchObject({
      newTypes: [1],
      homes: [home],
      touched: [3],
      vectors: [
        [3, 2],
        [2, 3],
      ],
    });
    expect(index.keyAt(3)).toBe(tweet);
    expect(exchange.counts.receivedVectors).toBe(3);
  });

  it('use a row again that an erased entity left', () => {
    const { exchange, index } = set();
    index.add(own!, 0);
    index.add(foreign!, 0);
    index.remove(own!);
    index.cut();
    index.cut();
    const { newTypes, reused, reusedHomes, vectors, touched } = received(
      exchange,
      parcelOf({ vectors: [[later!, 4]] }),
    );
    expect({ newTypes, reusedHomes, vectors, touched }).toEqual({
      ...{ newTypes: [], reusedHomes: [1], vectors: [[2, 4]], touched: [2] },
    });
    expect([...reused.rows, ...reused.types]).toEqual([2, 0]);
  });

  it('make no row for an erased entity, an own one, or one of a type that the graph has not', () => {
    const { exchange, index } = set({ erased: (key) => key === foreign });
    const parcel = parcelOf({
      vectors: [
        [foreign!, 1],
        [own!, 2],
        [later!, 3],
        [entityKey('user', 'ad'), 4],
      ],
    });
    const names = Buffer.from(parcel.vectors.names);
    names[nameEnd(names, nameEnd(names, nameEnd(names, 0)))] = 9;
    const vectors = { ...parcel.vectors, names };
    expect(received(exchange, { ...parcel, vectors })).toMatchObject({ newTypes: [0], vectors: [[2, 3]] });
    expect([index.size, index.find(later!)]).toEqual([1, 2]);
  });

  it('make no row for bytes that are no text', () => {
    const { exchange, index } = set();
    // Of several lengths: what they would be read as belongs to other shards too.
    const ids = Array.from({ length: 8 }, (_, i) => Buffer.alloc(1 + i, 0xff));
    const names = Buffer.concat(ids.flatMap((id) => [Buffer.from([0, id.length - 1]), id]));
    const parcel = parcelOf({ vectors: ids.map(() => [foreign!, 1] as const) });
    received(exchange, { ...parcel, vectors: { ...parcel.vectors, names } });
    expect(index.size).toBe(0);
  });
});

describe('relation vectors', () => {
  const relations = (number: number) => new Float32Array(RELATION_FLOATS).fill(number);

  /** What each batch is asked to merge: the first number of each copy, or undefined where nothing is merged. */
  function merging(exchange: Exchange, ...edges: number[]): (number[] | undefined)[] {
    return edges.map((count) => {
      const batch = batchOf();
      exchange.hand(batch, count);
      const { wantsRelations, relations: copies } = batch.close().shard!;
      return wantsRelations ? copies.map((copy) => copy[0]!) : undefined;
    });
  }

  it('are merged after so many edges, the newest of each sender once', () => {
    const { exchange } = set();
    const receive = (from: number, number: number) =>
      received(exchange, parcelOf({ from, relations: relations(number) }));
    receive(1, 1);
    receive(2, 2);
    receive(1, 3);
    expect(merging(exchange, 60, 39, 1, 99, 1)).toEqual([undefined, undefined, [3, 2], undefined, []]);
  });

  it('are merged after some time, where any edge was trained', () => {
    let now = 0;
    const { exchange } = set({ clock: () => now });
    now = 1_999;
    expect(merging(exchange, 1)).toEqual([undefined]);
    now = 2_000;
    expect(merging(exchange, 0, 1)).toEqual([[], undefined]);
    now = 4_000;
    expect(merging(exchange, 0, 0)).toEqual([[], undefined]);
    now = 9_000;
    expect(merging(exchange, 0, 0)).toEqual([undefined, undefined]);
  });
});

describe('records', () => {
  const value = encodeParcel(parcelOf({ last: 3 }), DIM);
  const headers = { fingerprint: Buffer.from(FINGERPRINT), space: Buffer.from(SPACE) };

  it('are parcels of the same model', () => {
    const { exchange } = set();
    expect(exchange.read(recordOf(value, headers))).toMatchObject({ run: 'there', last: 3 });
    expect(exchange.counts.unreadable).toBe(0);
  });

  test('of another model end the shard, with what to do', () => {
    const { exchange } = set();
    const other = recordOf(value, { ...headers, fingerprint: Buffer.from('beef') });
    expect(() => exchange.read(other)).toThrow(
      expect.objectContaining({
        code: 'shards',
        message: expect.stringMatching(
          /fingerprint beef, configured here f00d \(twhin\.exchange\.test, partition 0, offset 7\)/,
        ),
      }),
    );
  });

  test.each([
    ['no value', null],
    ['half a parcel', value.subarray(0, 40)],
    ['vectors of another dimension', encodeParcel({ ...parcelOf({}) }, DIM + 1)],
    ['relation vectors of another model', encodeParcel(parcelOf({ relations: new Float32Array(3) }), DIM)],
  ])('with %s are counted, warned of and passed over', (_, bytes) => {
    const log = keptLog();
    const { exchange } = set({ log });
    expect(exchange.read(recordOf(bytes, headers))).toBeUndefined();
    expect(exchange.counts.unreadable).toBe(1);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'a record is passed over: twhin.exchange.test, partition 0, offset 7',
    ]);
  });

  test('of another training are passed over, whatever their model, and told once where their sender still runs', () => {
    const log = keptLog();
    let now = 5_000;
    const { exchange } = set({ log, clock: () => now });
    const foreign = (timestamp: number, space: string) => ({
      ...recordOf(value, { space: Buffer.from(space), fingerprint: Buffer.from('beef') }),
      timestamp,
    });
    // Left in the topic from before this process began.
    expect(exchange.read(foreign(4_999, 'before'))).toBeUndefined();
    expect(log.lines).toEqual([]);
    now = 6_000;
    for (const space of ['before', 'before', 'another'])
      expect(exchange.read(foreign(5_500, space))).toBeUndefined();
    expect(log.lines.map(({ fields }) => fields)).toMatchObject([
      { space: 'before', own: SPACE },
      { space: 'another', own: SPACE },
    ]);
    expect(log.lines[0]!.message).toContain('All shards need stores of one training');
    expect(exchange.counts.unreadable).toBe(0);
    expect(exchange.progress.peers.map(({ heardAt }) => heardAt)).toEqual([undefined, undefined]);
  });

  test('of no training that they name are no parcels', () => {
    const { exchange } = set();
    expect(exchange.read(recordOf(value, { fingerprint: headers.fingerprint }))).toBeUndefined();
    expect(exchange.counts.unreadable).toBe(1);
  });

  test('of no parcel at all are the sender of nothing', () => {
    const failed = vi.fn();
    const { exchange } = set({ failed });
    exchange.read(recordOf(Buffer.from('hello'), {}));
    expect([exchange.counts.unreadable, failed.mock.calls.length]).toEqual([1, 0]);
  });
});

describe('a copy without a vector', () => {
  const [first, second] = usersOf(1, 3, 2);

  function set100() {
    const time = { now: 0 };
    const all = set({ wantMs: 100, clock: () => time.now });
    all.exchange.begin();
    /** A copy that an edge made. */
    const copy = (key: EntityKey) => all.exchange.absent.add(all.index.add(key, 0));
    /** What a shard was asked for. */
    const asked = async (shard: number) => {
      await all.exchange.sent();
      const parcels = all.log.published.filter(({ key }) => shardOf(String(key), 3) === shard).map(parcelIn);
      return parcels.map(({ wanted }) => idsIn(wanted.names));
    };
    return { ...all, time, copy, asked };
  }

  it('is asked for after a while, though there is no batch to send, and again after sixty times as long', async () => {
    const { exchange, time, copy, asked } = set100();
    copy(first!);
    exchange.look();
    expect(await asked(1)).toEqual([]);
    for (const now of [100, 5_900, 6_100, 6_200]) {
      time.now = now;
      exchange.look();
    }
    expect([await asked(1), await asked(2)]).toEqual([[[idOf(first!)], [idOf(first!)]], []]);
    expect(exchange.progress).toMatchObject({ asked: 2 });
  });

  it('is not asked for once its vector came', async () => {
    const { exchange, time, copy, asked } = set100();
    copy(first!);
    copy(second!);
    received(exchange, parcelOf({ vectors: [[first!, 1]] }));
    time.now = 100;
    exchange.look();
    expect(await asked(1)).toEqual([[idOf(second!)]]);
  });
});

test('the trainer is told which shards use a copy, and which ask for a vector; of a name that is not known, nothing', () => {
  const { exchange, index } = set();
  const [here, unknown] = usersOf(0, 3, 2);
  const row = index.add(here!, 0);
  const batch = batchOf();
  const say = (parcel: Parcel) => exchange.receive(parcel, batch, 1_000, new Set());
  say(parcelOf({ wanted: [here!, unknown!], from: 1 }));
  say(parcelOf({ gradients: [[here!, 1]], from: 1 }));
  say(parcelOf({ gradients: [[here!, 1]], from: 2 }));
  const { inUse } = batch.close().shard!;
  expect([[...inUse.rows], [...inUse.shards], [...inUse.wanted]]).toEqual([
    [row, row],
    [1, 2],
    [1, 0],
  ]);
});

test('leases turn every ten minutes, with the next batch', () => {
  const time = { now: 0 };
  const { exchange } = set({ clock: () => time.now });
  const turns = (now: number) => {
    time.now = now;
    const batch = batchOf();
    exchange.hand(batch, 1);
    return batch.close().shard!.turn;
  };
  expect([0, 599_999, 600_000, 600_001, 1_199_999, 1_200_000].map(turns)).toEqual([
    ...[false, false, true, false, false, true],
  ]);
});
