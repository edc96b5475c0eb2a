import { describe, expect, test, vi } from 'vitest';
import { type EntityKey, entityKey } from '../../../src/graph/entity.ts';
import { EntityIndex } from '../../../src/graph/entity-index.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { silentLog } from '../../../src/log.ts';
import { Exchange } from '../../../src/pipeline/exchange/exchange.ts';
import { decodeParcel, type Parcel } from '../../../src/pipeline/exchange/parcel.ts';
import type { Message } from '../../../src/pipeline/ports.ts';
import { HalfVectors } from '../../../src/pipeline/training/half-vectors.ts';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import { OpenShardBatch } from '../../../src/pipeline/training/open-shard-batch.ts';
import type { Outgoing } from '../../../src/pipeline/training/trainer.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { MemoryLog } from '../memory-log.ts';
import { IN_TIME, updater } from '../updater-fixture.ts';

const [DIM, SHARDS] = [2, 3];
const NOTHING = () => new HalfVectors(DIM).take();
const PLACE = { topic: 'exchange', pace: { mergeEdges: 1, mergeMs: 1 }, freshRun: 'run' };

/** An entity that the shard owns. */
function ownedBy(shard: number): EntityKey {
  for (let number = 0; ; number++) {
    const key = entityKey('user', String(number));
    if (shardOf(key, SHARDS) === shard) return key;
  }
}

/** A shard of three with a clock that the test moves. It knows an entity of each shard, on the row of the shard's number. */
function shard(index: number, { speaks = true, writes = true, brokers = Promise.resolve() } = {}) {
  const entities = new EntityIndex(0, ['user']);
  for (let each = 0; each < SHARDS; each++) entities.add(ownedBy(each), 0);
  const messages: Message[] = [];
  const time = { now: 1_000 };
  const exchange = new Exchange(
    {
      ...PLACE,
      ...(speaks && { quietMs: 10_000 }),
      shard: { graph: 'test', index, count: SHARDS },
      fingerprint: 'f',
      space: 'shared',
      dim: DIM,
      index: entities,
      entityTypes: ['user'],
      relationRows: 0,
      erased: () => false,
      copies: () => 0,
      sink: {
        publish: async (sent) => {
          await brokers;
          messages.push(...sent);
        },
        takeOver: async () => {},
        stop: async () => {},
      },
      log: silentLog,
      clock: () => time.now,
      failed: () => {},
    },
    undefined,
  );
  if (writes) exchange.begin();
  /** What was sent since the last call, by the shard that it goes to. */
  const sent = async (): Promise<[to: number, parcel: Parcel][]> => {
    await exchange.sent();
    return messages
      .splice(0)
      .map(({ key, value }) => [shardOf(String(key), SHARDS), decodeParcel(value, DIM)]);
  };
  const receive = (parcel: Parcel, at: number) =>
    exchange.receive(parcel, new OpenBatch(new OpenShardBatch(DIM)), at, new Set());
  return { exchange, time, sent, receive };
}

/** What comes out of a batch: a gradient and a vector for shard 1, of the rows of shards 1 and 0. */
function outgoing(): Outgoing {
  const [gradients, vectors] = [new HalfVectors(DIM), new HalfVectors(DIM + 1)];
  gradients.push(1, Float32Array.of(1, 2));
  vectors.push(0, Float32Array.of(3, 4));
  const some = { gradients: gradients.take(), vectors: vectors.take() };
  const none = { gradients: NOTHING(), vectors: NOTHING() };
  return { to: [none, some, none], waiting: 7 };
}

describe('a shard that has nothing to say', () => {
  test('sends each other shard an empty parcel ten seconds after the last one that it was sent', async () => {
    const { exchange, time, sent } = shard(0);
    time.now += 9_999;
    exchange.look();
    expect(await sent()).toEqual([]);
    exchange.send(outgoing(), { first: 0, last: 4 });
    expect((await sent()).map(([to, { vectors }]) => [to, vectors.count])).toEqual([[1, 1]]);
    time.now += 1;
    exchange.look();
    exchange.look();
    const [[to, parcel] = [], ...more] = await sent();
    expect([to, more]).toEqual([2, []]);
    expect(parcel).toMatchObject({ from: 0, run: 'run', gradients: { count: 0 }, vectors: { count: 0 } });
    expect(parcel?.relations).toHaveLength(0);
    time.now += 9_999;
    exchange.look();
    expect((await sent()).map(([each]) => each)).toEqual([1]);
    expect(exchange.counts.waiting).toBe(7);
  });

  test('sends it with a batch too, which has nothing for the shard', async () => {
    const { exchange, time, sent } = shard(0);
    time.now += 10_000;
    exchange.send(outgoing(), { first: 0, last: 4 });
    const parcels = (await sent()).map(([to, { gradients, vectors }]) => [
      to,
      gradients.count,
      vectors.count,
    ]);
    expect(parcels).toEqual([
      [1, 1, 1],
      [2, 0, 0],
    ]);
  });

  test('sends nothing before it is the one writer, nor where no time is set', async () => {
    for (const each of [{ speaks: false }, { writes: false }]) {
      const { exchange, time, sent } = shard(0, each);
      time.now += 1e9;
      exchange.look();
      expect(await sent()).toEqual([]);
    }
  });

  test('keeps no pile of empty parcels while the brokers are away', async () => {
    const { promise: brokers, resolve: back } = Promise.withResolvers<void>();
    const { exchange, time, sent } = shard(0, { brokers });
    for (let looks = 0; looks < 9; looks++) {
      time.now += 10_000;
      exchange.look();
    }
    back();
    // Those on their way when the brokers went, and those behind them.
    expect((await sent()).map(([to]) => to)).toEqual([1, 2, 1, 2]);
  });

  test('does so in an updater too, between two looks at its topics', async () => {
    const log = new MemoryLog();
    let now = 1_000;
    const running = updater(log, new MemoryStore(), {
      shard: { graph: 'test', index: 1, count: 2 },
      exchange: { ...PLACE, quietMs: 10_000 },
      clock: () => now,
      pace: { commitMs: 10 },
    });
    const parcels = () => log.published.filter(({ topic }) => topic === PLACE.topic);
    const ended = running.run();
    await vi.waitFor(() => expect(running.progress().phase).toBe('running'), IN_TIME);
    expect(parcels()).toEqual([]);
    now += 10_000;
    await vi.waitFor(() => expect(parcels()).toHaveLength(1), IN_TIME);
    expect(running.progress().exchange).toMatchObject({
      peers: [{ shard: 0, heardAt: undefined, silentSince: 1_000 }],
      sentVectors: 0,
      sentBytes: parcels()[0]?.value?.length,
    });
    running.stop();
    await ended;
  });
});

describe('a shard that listens', () => {
  test('knows when each other shard wrote last, and since when one is silent that never did', async () => {
    const [sender, { exchange, time, receive }] = [shard(0), shard(1)];
    sender.time.now += 10_000;
    sender.exchange.look();
    const parcel = (await sender.sent()).find(([to]) => to === 1)?.[1];
    if (parcel === undefined) throw new Error('nothing was sent');
    time.now = 20_000;
    receive(parcel, 11_500);
    receive(parcel, 11_400);
    expect(exchange.progress.peers).toEqual([
      { shard: 0, heardAt: 11_500, silentSince: 11_500 },
      { shard: 2, heardAt: undefined, silentSince: 1_000 },
    ]);
    // Nothing of it is old: there was no vector in it.
    expect(exchange.progress.vectorAgeMs).toEqual({ p50: undefined, p99: undefined });
  });

  test('takes no empty parcel for gradients received: those before and after it count once', async () => {
    const [sender, { exchange, time, receive }] = [shard(0), shard(1)];
    sender.exchange.send(outgoing(), { first: 0, last: 4 });
    const [[, first] = []] = await sender.sent();
    sender.time.now += 10_000;
    sender.exchange.look();
    const empty = (await sender.sent()).find(([to]) => to === 1)?.[1];
    if (first === undefined || empty === undefined) throw new Error('a parcel is missing');
    // The sender's own range stays behind, as after a start from an older store.
    time.now = 5_000;
    receive(first, 4_000);
    const { received } = exchange.head();
    receive(empty, 4_500);
    receive({ ...empty, first: 9, last: 9 }, 4_600);
    expect(exchange.head().received).toEqual(received);
    receive(first, 4_700);
    receive({ ...first, first: 4, last: 8 }, 4_800);
    expect(exchange.counts).toMatchObject({ receivedGradients: 2, repeatedGradients: 1, receivedVectors: 3 });
    // Ages of the three parcels with vectors: 1,000, 300 and 200 ms.
    expect(exchange.progress.vectorAgeMs).toEqual({ p50: 300, p99: 1_000 });
  });
});
