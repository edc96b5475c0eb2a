import { RetryableError } from '../../errors/errors.ts';
import { patiently } from '../patience.ts';
import type { FollowedLog, Follower, PartitionRange, Share, Shares } from '../ports.ts';
import { Router, type RouterCounts, type RouterOptions } from './router.ts';

export interface StageOptions extends Omit<RouterOptions, 'begin' | 'routed' | 'failed' | 'counts'> {
  readonly shares: Shares;
  readonly eventLog: Pick<FollowedLog, 'ranges' | 'follow' | 'close'>;
  /** Topics of which this process reads each of its partitions from the start, the first time that it has it. */
  readonly reread: readonly string[];
}

/** What is read in one process of the stage in front: the partitions of its share, by a router for each share. */
export class RoutingStage {
  readonly counts: RouterCounts = { records: 0, rejected: new Map(), sent: 0, bytes: 0 };
  readonly #options: StageOptions;
  /** Partitions of which something was routed since the process began. */
  readonly #read = new Set<string>();

  constructor(options: StageOptions) {
    this.#options = options;
  }

  get graph(): string {
    return this.#options.graph;
  }

  /** Routes until stopped. @throws FatalError */
  run(): Promise<void> {
    return this.#options.shares.work((share) => this.#route(share));
  }

  /** Gives the share back, and closes all that was given. Idempotent. */
  async stop(): Promise<void> {
    const { shares, eventLog, sink } = this.#options;
    await Promise.all([shares.stop(), eventLog.close()]);
    await sink.stop();
  }

  async #route(share: Share): Promise<void> {
    if (share.ended.aborted) return;
    const { eventLog } = this.#options;
    const topics = [...this.#options.topics.keys()];
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    const ended = Promise.withResolvers<void>();
    share.ended.addEventListener('abort', () => ended.resolve(), { once: true });
    try {
      const held = await patiently(() => eventLog.ranges(topics), share.ended);
      const router = this.#router(share, held, reject);
      try {
        const following = await eventLog.follow(topics, this.#follower(share, router));
        await Promise.race([ended.promise, failed]).finally(() => following.close());
      } finally {
        await router.stop();
      }
    } catch (error) {
      if (!(error instanceof RetryableError && error.code === 'stopped')) throw error;
    }
  }

  #router(share: Share, held: readonly PartitionRange[], failed: (error: Error) => void): Router {
    const lows = new Map(held.map(({ topic, partition, low }) => [`${topic}/${partition}`, low]));
    return new Router({
      ...this.#options,
      counts: this.counts,
      begin: (topic, partition) =>
        this.#position(share, topic, partition) ?? lows.get(`${topic}/${partition}`) ?? 0,
      routed: (offsets) => {
        for (const [topic, partitions] of Object.entries(offsets))
          for (const partition of Object.keys(partitions)) this.#read.add(`${topic}/${partition}`);
        share.done(offsets);
      },
      failed,
    });
  }

  #follower(share: Share, router: Router): Follower {
    return {
      reads: (topic, partition) => share.has(topic, partition),
      position: (topic, partition) => this.#position(share, topic, partition),
      take: (run) => router.take(run),
      failed: (error) => router.failed(error),
    };
  }

  /** What is to be read next; undefined: the first record that is kept. */
  #position(share: Share, topic: string, partition: number): number | undefined {
    const name = `${topic}/${partition}`;
    if (this.#options.reread.includes(topic) && !this.#read.has(name)) return undefined;
    return share.position(topic, partition);
  }
}
