import { setImmediate as ticked } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { shardOf } from '../../../src/graph/shard.ts';
import { silentLog } from '../../../src/log.ts';
import type {
  Follower,
  Message,
  PartitionRange,
  SourceRecord,
  Stretch,
  StretchCursor,
} from '../../../src/pipeline/ports.ts';
import { OffsetLedger } from '../../../src/pipeline/reading/offset-ledger.ts';
import { Rejections } from '../../../src/pipeline/rejections.ts';
import { ShardLog } from '../../../src/shards/routing/shard-log.ts';
import { ShareRouter } from '../../../src/shards/routing/share-router.ts';
import { decodeStretch } from '../../../src/shards/routing/stretch.ts';
import { DEFAULT_LIMITS, engagement, erasure } from '../../../topics/index.ts';

const [EVENTS, EDGES] = ['twhin.engagement', 'twhin.edges.g'];
const [PARTITIONS, SHARDS, ROUTERS] = [3, 3, 3];
const RUNS = Number(process.env['TWHIN_PROPERTY_RUNS'] ?? 200);

/** Events and erasures in one topic. */
const TOPICS = new Map([
  [EVENTS, { ...engagement, read: (json: unknown) => (isErasure(json) ? erasure : engagement).read(json) }],
]);
const CONCERNS = { relations: new Set(['likes']), shards: SHARDS };

/** What an event does, as text: the changes that a shard is to get. */
type Told = { readonly offset: number; readonly changes: readonly string[] };

function recordOf(topic: string, partition: number, offset: number, value: Buffer | null): SourceRecord {
  return { topic, partition, offset, timestamp: 1_700_000_000_000, key: null, value };
}

/** Events of some partitions, and the topic in which they are routed. */
class World {
  readonly events: SourceRecord[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly edges: SourceRecord[][] = Array.from({ length: SHARDS }, () => []);
  /** By shard: where the edges topic ends. */
  readonly ends = Array.from({ length: SHARDS }, () => 0);
  /** What the group of routers has committed. */
  readonly committed = new Map<string, number>();

  append(partition: number, value: object | string): void {
    const events = this.events[partition]!;
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    // Offsets have gaps, as after markers of transactions.
    const offset = (events.at(-1)?.offset ?? -1) + 1 + (events.length % 3 === 2 ? 1 : 0);
    events.push(recordOf(EVENTS, partition, offset, Buffer.from(text)));
  }

  deliver({ key, value }: Message): void {
    const partition = shardOf(String(key), SHARDS);
    this.edges[partition]!.push(
      recordOf(EDGES, partition, this.ends[partition]!++, value && Buffer.from(value)),
    );
  }

  /** Retention takes everything that was routed to a shard. */
  cut(shard: number): void {
    this.edges[shard] = [];
  }

  /** The group has lost where the routers are in a partition, or was told another place. */
  move(partition: number, end: boolean): void {
    const next = (this.events[partition]!.at(-1)?.offset ?? -1) + 1;
    if (end) this.committed.set(`${EVENTS}/${partition}`, next);
    else this.committed.delete(`${EVENTS}/${partition}`);
  }
}

/** A process with a router, which may be one that the group has given up. */
class Process {
  readonly router: ShareRouter;
  readonly #world: World;
  readonly #begun: ReadonlyMap<string, number>;
  readonly #read = new Map<number, number>();
  /** By shard and event partition: where the last stretch that went out ends. */
  readonly #ends = new Map<string, number>();
  #publishing = false;
  /** Messages of the next publish that arrive before the process is killed; undefined: it is not. */
  killedAfter: number | undefined;
  #dead = false;

  constructor(world: World) {
    this.#world = world;
    this.#begun = new Map(world.committed);
    this.router = new ShareRouter({
      graph: 'g',
      ...CONCERNS,
      topics: TOPICS,
      limits: DEFAULT_LIMITS,
      edgesTopic: EDGES,
      sink: {
        publish: (messages) => this.#publish(messages),
        takeOver: async () => {},
        stop: async () => {},
      },
      routed: (offsets) => {
        for (const [topic, partitions] of Object.entries(offsets))
          for (const [partition, offset] of Object.entries(partitions))
            world.committed.set(`${topic}/${partition}`, offset);
      },
      deadLetter: () => ({ topic: 'dead', key: null, value: null, headers: {} }),
      counts: { records: 0, sent: 0, bytes: 0 },
      rejections: new Rejections({ graph: 'g', topics: [EVENTS], log: silentLog, clock: () => 0 }),
      markMs: 500,
      log: silentLog,
      failed: (error) => {
        throw error;
      },
    });
  }

  read(partition: number, count: number): void {
    if (this.#dead) return;
    const events = this.#world.events[partition]!;
    const begun = this.#begun.get(`${EVENTS}/${partition}`) ?? 0;
    if (!this.#read.has(partition)) this.router.begin(EVENTS, partition, begun);
    const from = this.#read.get(partition) ?? begun;
    const records = events.filter(({ offset }) => offset >= from).slice(0, count);
    const next = Math.max(from, (records.at(-1)?.offset ?? -1) + 1);
    this.#read.set(partition, next);
    void this.router.take({ topic: EVENTS, partition, records, next });
  }

  async kill(): Promise<void> {
    this.#dead = true;
    await this.router.stop();
  }

  async #publish(messages: readonly Message[]): Promise<void> {
    expect(this.#publishing).toBe(false);
    this.#publishing = true;
    for (const message of messages) if (message.topic === EDGES) this.#checkFollowsOn(message);
    // An acknowledgement takes a while: meanwhile others publish and more is read.
    await ticked();
    this.#publishing = false;
    if (this.#dead) return new Promise(() => {});
    for (const message of messages.slice(0, this.killedAfter))
      if (message.topic === EDGES) this.#world.deliver(message);
    if (this.killedAfter === undefined) return;
    this.#dead = true;
    await new Promise(() => {});
  }

  /** What one router sends a shard of a partition has no gap, and repeats nothing. */
  #checkFollowsOn({ key, value }: Message): void {
    const { partition, from, until } = decodeStretch(value && Buffer.from(value));
    const place = `${shardOf(String(key), SHARDS)} ${partition}`;
    expect(from).toBe(this.#ends.get(place) ?? this.#begun.get(`${EVENTS}/${partition}`) ?? 0);
    this.#ends.set(place, until);
  }
}

/** A shard with a store, which is killed now and then. */
class Shard {
  readonly #index: number;
  readonly #world: World;
  #ledger = new OffsetLedger();
  #got = nothing();
  #stored: { offsets: ReturnType<OffsetLedger['offsets']>; got: Told[][] } = { offsets: {}, got: nothing() };
  #take: Follower['take'] | undefined;

  constructor(index: number, world: World) {
    this.#index = index;
    this.#world = world;
  }

  async consume(count: number): Promise<void> {
    const take = await this.#following();
    const next = this.#ledger.next('fetched', EDGES, this.#index) ?? 0;
    const records = this.#world.edges[this.#index]!.filter(({ offset }) => offset >= next).slice(0, count);
    const end = (records.at(-1)?.offset ?? next - 1) + 1;
    await take({ topic: EDGES, partition: this.#index, records, next: end });
  }

  commit(): void {
    this.#stored = { offsets: this.#ledger.offsets('fetched'), got: this.#got.map((told) => [...told]) };
  }

  crash(): void {
    this.#ledger = new OffsetLedger(this.#stored.offsets);
    this.#got = this.#stored.got.map((told) => [...told]);
    this.#take = undefined;
  }

  got(): Told[][] {
    return this.#got;
  }

  ends(): (number | undefined)[] {
    return this.#got.map((_, partition) => this.#ledger.next('fetched', EVENTS, partition));
  }

  async #following(): Promise<Follower['take']> {
    if (this.#take) return this.#take;
    const ranges = async (): Promise<PartitionRange[]> =>
      this.#world.events.map((_, partition) => ({ topic: EVENTS, partition, low: 0, high: 1e6 }));
    const log = new ShardLog(
      {
        ranges,
        topicIds: async () => ({}),
        follow: async (topics, follower) => {
          expect(topics).toEqual([EDGES]);
          this.#take = (run) => follower.take(run);
          return { close: async () => {} };
        },
        read: async (stretches) => ({
          cursors: stretches.map((stretch) => cursorOf(stretch, this.#world.events[stretch.partition]!)),
          close: async () => {},
        }),
        close: async () => {},
      },
      {
        graph: 'g',
        index: this.#index,
        ...CONCERNS,
        exchangeTopic: 'twhin.exchange.g',
        edgesTopic: EDGES,
        topics: TOPICS,
        limits: DEFAULT_LIMITS,
      },
      silentLog,
    );
    await log.follow([EVENTS, EDGES], {
      position: (topic, partition) => this.#ledger.next('fetched', topic, partition),
      take: ({ topic, partition, records, next }) => {
        this.#ledger.advance('fetched', topic, partition, next);
        for (const { offset, content } of records)
          this.#got[partition]!.push({ offset, changes: (content?.changes ?? []).map(textOf) });
      },
      failed: (error) => {
        throw error;
      },
    });
    return this.#take ?? expect.fail('nothing is followed');
  }
}

const [partition, shard, router] = [fc.nat(PARTITIONS - 1), fc.nat(SHARDS - 1), fc.nat(ROUTERS - 1)];
const kind = fc.constantFrom('like', 'like', 'unlike', 'retweet', 'erase', 'broken');
const does = <K extends string>(...names: K[]) => fc.constantFrom(...names);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: does('append'), partition, lhs: fc.nat(6), rhs: fc.nat(6), kind }),
  },
  { weight: 6, arbitrary: fc.record({ does: does('read'), router, partition, count: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ does: does('start'), router }) },
  { weight: 1, arbitrary: fc.record({ does: does('cut'), router, after: fc.nat(6) }) },
  {
    weight: 3,
    arbitrary: fc.record({ does: does('consume'), shard, count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ does: does('commit', 'crash'), shard }) },
  { weight: 2, arbitrary: fc.record({ does: does('wait') }) },
  { weight: 1, arbitrary: fc.record({ does: does('retention'), shard }) },
  { weight: 1, arbitrary: fc.record({ does: does('move'), partition, end: fc.boolean() }) },
);

test('any events, by any routers that repeat, overlap, skip and die: each shard gets what concerns it, once, in order', async () => {
  let repeated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
      const world = new World();
      const shards = Array.from({ length: SHARDS }, (_, index) => new Shard(index, world));
      const all: Process[] = [];
      const start = () => {
        const process = new Process(world);
        all.push(process);
        return process;
      };
      const routers = Array.from({ length: ROUTERS }, start);
      for (const step of steps) {
        if (step.does === 'append') world.append(step.partition, eventOf(step.kind, step.lhs, step.rhs));
        else if (step.does === 'read') routers[step.router]!.read(step.partition, step.count);
        else if (step.does === 'start') routers[step.router] = start();
        else if (step.does === 'cut') routers[step.router]!.killedAfter = step.after;
        else if (step.does === 'consume') await shards[step.shard]!.consume(step.count);
        else if (step.does === 'commit') shards[step.shard]!.commit();
        else if (step.does === 'crash') shards[step.shard]!.crash();
        else if (step.does === 'retention') world.cut(step.shard);
        else if (step.does === 'move') world.move(step.partition, step.end);
        else for (let n = 0; n < 4; n++) await ticked();
      }
      for (let n = 0; n < 8; n++) await ticked();
      // An erasure is told to every shard, and with it how far all partitions are read.
      for (let partition = 0; partition < PARTITIONS; partition++)
        world.append(partition, eventOf('erase', 0, 0));
      const last = start();
      for (let partition = 0; partition < PARTITIONS; partition++) last.read(partition, 1e6);
      for (let n = 0; n < 8; n++) await ticked();
      for (const shard of shards) await shard.consume(1e6);

      for (const [index, shard] of shards.entries()) {
        expect(shard.got()).toEqual(world.events.map((events) => toldTo(index, events)));
        expect(shard.ends()).toEqual(world.events.map((events) => events.at(-1)!.offset + 1));
      }
      repeated += world.edges.flat().length;
      await Promise.race([Promise.all(all.map((each) => each.kill())), ticked()]);
    }),
    { numRuns: RUNS },
  );
  expect(repeated).toBeGreaterThan(RUNS);
});

test('a router tells every shard how far its partitions are routed: where nothing is new every ten seconds, and while others are being sent to', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const world = new World();
  const { router } = new Process(world);
  const told = () =>
    world.edges.map((edges) => {
      const stretches = edges.map(({ value }) => decodeStretch(value));
      return stretches.map(({ partition, from, until }) => `${partition} ${from} ${until}`);
    });
  const pass = async (ms: number) => {
    vi.advanceTimersByTime(ms);
    for (let n = 0; n < 4; n++) await ticked();
  };
  router.begin(EVENTS, 1, 0);
  await pass(500);
  const begun = '1 0 0';
  expect(told()).toEqual([[begun], [begun], [begun]]);
  await pass(9_500);
  expect(told()).toEqual([[begun], [begun], [begun]]);
  await pass(500);
  const twice = [begun, begun];
  expect(told()).toEqual([twice, twice, twice]);

  // The mark comes due while an event of another partition is on its way.
  world.append(2, eventOf('erase', 0, 0));
  const [records] = world.events.slice(2);
  await router.take({ topic: EVENTS, partition: 1, records: [], next: 7 });
  void router.take({ topic: EVENTS, partition: 2, records: records!, next: 1 });
  await pass(500);
  const all = [...twice, '2 0 1', '1 0 7'];
  expect(told()).toEqual([all, all, all]);
  // The group is told of what was read alone.
  expect(Object.fromEntries(world.committed)).toEqual({ [`${EVENTS}/1`]: 7, [`${EVENTS}/2`]: 1 });
  await router.stop();
});

/** All of a stretch, a record at a time. */
function cursorOf(stretch: Stretch, events: readonly SourceRecord[]): StretchCursor {
  const left = events.filter(({ offset }) => offset >= stretch.from && offset < stretch.until);
  return {
    stretch,
    next: async () => {
      const record = left.shift();
      return record && [record];
    },
  };
}

function nothing(): Told[][] {
  return Array.from({ length: PARTITIONS }, () => []);
}

function isErasure(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'entity' in json;
}

function eventOf(kind: string, lhs: number, rhs: number): object | string {
  if (kind === 'broken') return '{"not json';
  const at = 1_600_000_000_000 + lhs;
  if (kind === 'erase') return { entity: `user:u${lhs}`, at };
  return { userId: `u${lhs}`, tweetId: `t${rhs}`, action: kind, at };
}

/** What a slow reader of the events makes of them, for one shard. */
function toldTo(shard: number, events: readonly SourceRecord[]): Told[] {
  return events.flatMap(({ offset, value }) => {
    const text = String(value);
    if (!text.endsWith('}')) return [];
    const json = JSON.parse(text);
    const { changes } = (isErasure(json) ? erasure : engagement).read(json);
    const own = changes.filter((change) => {
      if ('erased' in change) return true;
      return (
        change.relation === 'likes' && [change.lhs, change.rhs].some((key) => shardOf(key, SHARDS) === shard)
      );
    });
    return own.length === 0 ? [] : [{ offset, changes: own.map(textOf) }];
  });
}

function textOf(change: object): string {
  return JSON.stringify(Object.entries(change).sort());
}
