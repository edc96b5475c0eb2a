import { type EntityKey, entityKey, idOf, typeOf } from '../../src/graph/entity.ts';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { fingerprint, type Head } from '../../src/graph/head.ts';
import { shardOf } from '../../src/graph/shard.ts';
import type { NeighbourParts } from '../../src/pipeline/neighbours.ts';
import type { Message, SourceRecord } from '../../src/pipeline/ports.ts';
import type { Outgoing, RowVectors } from '../../src/pipeline/training/shard-batch.ts';
import { Exchange, type ExchangePace } from '../../src/shards/exchange.ts';
import { decodeParcel, encodeParcel, nameEnd, type Parcel } from '../../src/shards/parcel.ts';
import { HEAD } from '../graph/graph-fixture.ts';
import { keptLog } from '../pipeline/faulty-sink.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { EXCHANGE } from './shards-fixture.ts';

export const [DIM, SHARDS] = [4, 3];
const TYPES = ['user', 'tweet'];
export const MODEL = {
  dim: DIM,
  scorer: 'transe-l2',
  entityTypes: TYPES,
  relations: [{ name: 'follows', lhs: 'user', rhs: 'user' }],
};
export const FINGERPRINT = fingerprint(MODEL);
export const SPACE = 'shared';
/** A relation's row and its reverse, vector and accumulator each. */
export const RELATION_FLOATS = 2 * (DIM + 1);
const NEVER = Number.POSITIVE_INFINITY;

/** The first `many` users of a shard among `count`. */
export function usersOf(shard: number, many = 1, count = SHARDS): EntityKey[] {
  const keys = Array.from({ length: 999 }, (_, i) => entityKey('user', `${i}`));
  return keys.filter((key) => shardOf(key, count) === shard).slice(0, many);
}

interface Settings extends Partial<Omit<NeighbourParts, 'head'>> {
  readonly shard?: { readonly index: number; readonly count: number };
  readonly pace?: Partial<ExchangePace>;
  readonly freshRun?: string;
  readonly head?: NonNullable<Head['shard']>;
}

/** Shard 0 of three, unless said otherwise, with a clock that stands where the test puts it. */
export function exchangeOf({ shard, pace, freshRun = 'here', head, ...rest }: Settings = {}) {
  const index = rest.index ?? new EntityIndex(2, TYPES);
  const [published, log, failures, time] = [new MemoryLog(), keptLog(), [] as Error[], { now: 0 }];
  const exchange = new Exchange(
    {
      shard: { graph: 'g', ...(shard ?? { index: 0, count: SHARDS }) },
      topic: EXCHANGE,
      pace: { mergeEdges: 100, mergeMs: 2_000, quietMs: NEVER, wantMs: NEVER, ...pace },
      freshRun,
    },
    {
      ...{ model: MODEL, space: SPACE, index, absent: new Int32Array(0), unsent: [], erased: () => false },
      ...{ sink: published.sink(), log },
      ...{ clock: () => time.now, failed: (error) => failures.push(error), ...rest },
      head: head && { ...HEAD, graph: 'g-0', model: MODEL, rows: 2, space: SPACE, shard: head },
    },
  );
  /** Entities that got a row, with the shard that owns each. */
  const named: [key: EntityKey, row: number, owner: number][] = [];
  const receive = (record: SourceRecord) =>
    exchange.receive(record, (key, at, owner) => {
      const row = index.add(key, at);
      named.push([key, row, owner]);
      exchange.named(row, key, owner);
      return row;
    });
  return {
    ...{ exchange, index, log, failures, time, named, published: published.published },
    receive,
    /** What the next batch of the trainer gets of a parcel. */
    received: (parcel: Parcel, at = 1_000) => {
      receive(recordOf(encodeParcel(parcel, DIM), { timestamp: at }));
      const { gradients, vectors, copies } = handed(exchange, 0);
      return { gradients: firsts(gradients), vectors: firsts(vectors, DIM + 1), copies };
    },
    /** Sends what a batch of `edges` new edges has for others. */
    send: async (parts: Outgoing, edges = 1) => {
      exchange.hand(edges).trained(parts);
      await exchange.sent();
    },
    /** What was sent to a shard, in order. */
    to: (index: number, count = SHARDS) =>
      published.published.filter(({ key }) => shardOf(String(key), count) === index).map(parcelIn),
  };
}

/** The shard's part of the next batch. */
export function handed(exchange: Exchange, edges: number) {
  return exchange.hand(edges).part.shard!;
}

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

/** A parcel of shard 1. */
export function parcelOf(
  parts: { gradients?: Named; vectors?: Named; wanted?: readonly EntityKey[] } & Partial<
    Omit<Parcel, 'gradients' | 'vectors' | 'wanted'>
  >,
): Parcel {
  const { gradients = [], vectors = [], wanted = [], ...rest } = parts;
  return {
    ...{ from: 1, run: 'there', first: 0, last: 10, part: 0, relations: new Float32Array(0), ...rest },
    ...{ gradients: namedOf(gradients), vectors: namedOf(vectors, DIM + 1) },
    wanted: namedOf(wanted.map((key) => [key, 0])),
  };
}

/** A record of the exchange topic, of this training and model unless said otherwise. */
export function recordOf(
  value: Buffer | null,
  { timestamp = 1_000, ...texts }: { timestamp?: number; space?: string; fingerprint?: string } = {},
): SourceRecord {
  const all = { space: SPACE, fingerprint: FINGERPRINT, ...texts };
  const headers = Object.fromEntries(Object.entries(all).map(([name, text]) => [name, Buffer.from(text)]));
  return { topic: EXCHANGE, partition: 0, offset: 7, timestamp, key: null, value, headers };
}

/** Row and first number of each. */
export function firsts({ rows, halves }: RowVectors, width = DIM): [number, number][] {
  return [...rows].map((row, i) => [row, halves[i * width]!]);
}

/** What a trainer has for others: by shard, rows of gradients and of vectors; each vector begins with its row. */
export function outgoing(
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
export function idsIn({ names }: { readonly names: Uint8Array }): string[] {
  const ids: string[] = [];
  for (let start = 0, end = 0; start < names.length; start = end) {
    end = nameEnd(names, start);
    ids.push(Buffer.from(names.subarray(start + 2, end)).toString());
  }
  return ids;
}
