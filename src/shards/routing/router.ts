import { RetryableError } from '../../errors/errors.ts';
import { patiently } from '../../pipeline/patience.ts';
import type {
  EventLog,
  Partition,
  PartitionRange,
  Position,
  Positions,
  Share,
  Shares,
} from '../../pipeline/ports.ts';
import { Lag, type PartitionLag } from '../../pipeline/reading/lag.ts';
import { REJECTIONS } from '../../pipeline/reading/record-content.ts';
import { Rejections } from '../../pipeline/rejections.ts';
import { type RouterCounts, type RoutingOptions, ShareRouter } from './share-router.ts';

/** A router that routed nothing for so long while records wait is stuck. */
const STUCK_MS = 30_000;

export interface RouterOptions extends RoutingOptions {
  readonly shares: Shares;
  readonly eventLog: Pick<EventLog, 'ranges' | 'follow' | 'agreed' | 'close'>;
  /** Topics of which this process reads each of its partitions from the start, the first time that it has it. */
  readonly reread: readonly string[];
  /** Topics that go on with the records that their logs still have, the first time that this process has a partition. */
  readonly goOn: readonly string[];
  /** Where a partition is begun of which the group knows nothing; the first record that is kept where it is absent. */
  readonly begin: Positions;
  clock(): number;
}

/** The router of one process: sends the shards of a graph the events of its share of the event partitions. */
export class Router {
  readonly counts: RouterCounts = { records: 0, sent: 0, bytes: 0 };
  readonly rejections: Rejections;
  /** Every code that a record can be rejected with. */
  readonly codes: readonly string[] = REJECTIONS;
  readonly #options: RouterOptions;
  /** Partitions of which something was routed since the process began. */
  readonly #read = new Set<string>();
  readonly #lag: Lag;
  /** Where each partition of the share is routed to. */
  #routed: Positions = {};
  /** What the process works on at the moment. */
  #work: { readonly share: Share; readonly routing: ShareRouter; readonly partitions: number } | undefined;
  /** The counts of shares that have ended. */
  #retriesBefore = 0;
  /** Since when nothing was routed although records waited at each look, ms. */
  #waitsSince: number | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    const { graph, eventLog, topics, log, clock } = options;
    this.rejections = new Rejections({ graph, topics: topics.keys(), log, clock: () => clock() });
    const behind = (range: PartitionRange) => {
      const { topic, partition, low, high } = range;
      const begun = this.#work && this.#position(this.#work.share, range);
      return Math.max(0, high - ((this.#routed[topic]?.[partition] ?? begun)?.offset ?? low));
    };
    const ledger = { behind };
    this.#lag = new Lag({ graph, eventLog, topics: [...topics.keys()], ledger, log, clock: () => clock() });
  }

  get graph(): string {
    return this.#options.graph;
  }

  /** Partitions that this process routes; undefined while it has no share. */
  get partitions(): number | undefined {
    return this.#work?.partitions;
  }

  get retries(): number {
    return this.#retriesBefore + (this.#work?.routing.delivery.retries ?? 0);
  }

  /** The backlog of each partition that this process routes: what not every shard has yet. */
  lag(): PartitionLag[] {
    const { share } = this.#work ?? {};
    return this.#lag.byPartition().filter(({ topic, partition }) => share?.has(topic, partition));
  }

  /** Why nobody should rely on this router, a phrase for each reason; empty when it routes, or has nothing to route. */
  unready(): string[] {
    const { shares, clock } = this.#options;
    if (this.#work === undefined) {
      const { trouble } = shares;
      return [trouble === undefined ? 'it is joining the group' : `it has no part of the group: ${trouble}`];
    }
    const { troubles } = this.#work.routing.delivery;
    if (troubles.size > 0) return [...troubles.values()];
    const waiting = this.lag().reduce((sum, { records }) => sum + records, 0);
    if (waiting === 0) this.#waitsSince = undefined;
    else this.#waitsSince ??= clock();
    const waitsMs = clock() - (this.#waitsSince ?? clock());
    if (waitsMs <= STUCK_MS) return [];
    return [`nothing was routed for ${Math.round(waitsMs / 1000)} s, and ${waiting} records wait`];
  }

  /** Routes until stopped. @throws FatalError */
  run(): Promise<void> {
    return this.#options.shares.work((share) => this.#route(share));
  }

  /** Gives the share back, and closes all that was given. Idempotent. */
  async stop(): Promise<void> {
    const { shares, eventLog, sink } = this.#options;
    await Promise.all([shares.stop(), eventLog.close(), sink.stop()]);
  }

  async #route(share: Share): Promise<void> {
    if (share.ended.aborted) return;
    const { eventLog, reread, goOn } = this.#options;
    const topics = [...this.#options.topics.keys()];
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined);
    share.ended.addEventListener('abort', () => ended.resolve(), { once: true });
    try {
      const held = await patiently(() => eventLog.ranges(topics), share.ended);
      const own = held.filter(({ topic, partition }) => share.has(topic, partition));
      // Once: what is routed as read must be what is read.
      const positions = new Map<string, Position | undefined>();
      for (const range of own)
        positions.set(nameOf(range), await this.#agreed(this.#position(share, range), range));
      const routing = this.#routingOf(share, ended.reject);
      this.#routed = {};
      this.#waitsSince = undefined;
      this.#work = { share, routing, partitions: own.length };
      try {
        for (const range of own) {
          const { topic, partition, low } = range;
          const position = positions.get(nameOf(range)) ?? { offset: low };
          routing.begin(topic, partition, position);
          // Without new records the group would keep the position that was refused.
          if (reread.includes(topic) || goOn.includes(topic))
            share.done({ [topic]: { [partition]: position } });
        }
        const following = await eventLog.follow(topics, {
          reads: (topic, partition) => share.has(topic, partition),
          position: (topic, partition) => positions.get(nameOf({ topic, partition })),
          take: (run) => routing.take(run),
          failed: ended.reject,
        });
        await ended.promise.finally(() => following.close());
      } finally {
        await routing.stop();
        this.#work = undefined;
        this.#retriesBefore += routing.delivery.retries;
      }
    } catch (error) {
      if (!(error instanceof RetryableError && error.code === 'stopped')) throw error;
    }
  }

  #routingOf(share: Share, failed: (error: Error) => void): ShareRouter {
    return new ShareRouter({
      ...this.#options,
      counts: this.counts,
      rejections: this.rejections,
      routed: (positions) => {
        for (const [topic, partitions] of Object.entries(positions))
          for (const partition of Object.keys(partitions)) this.#read.add(`${topic}/${partition}`);
        this.#routed = positions;
        this.#waitsSince = undefined;
        share.done(positions);
      },
      failed,
    });
  }

  /** The position or, where that was asked for, the last one up to which the log holds the records that were routed. */
  async #agreed(position: Position | undefined, range: Partition): Promise<Position | undefined> {
    const { eventLog, goOn } = this.#options;
    const { topic, partition } = range;
    if (position === undefined || !goOn.includes(topic) || this.#read.has(nameOf(range))) return position;
    return (await eventLog.agreed({ [topic]: { [partition]: position } }))[topic]?.[partition];
  }

  /** What is to be read next; undefined: the first record that is kept. */
  #position(share: Share, { topic, partition }: PartitionRange): Position | undefined {
    const { reread, begin } = this.#options;
    if (reread.includes(topic) && !this.#read.has(nameOf({ topic, partition }))) return undefined;
    return share.position(topic, partition) ?? begin[topic]?.[partition];
  }
}

function nameOf({ topic, partition }: Partition): string {
  return `${topic}/${partition}`;
}
