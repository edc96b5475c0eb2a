import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';
import type { Follower, Following, PartitionRange, Position, RecordRun, Stretch } from '../pipeline/ports.ts';
import { pause } from './backoff.ts';
import { notHeld } from './log-errors.ts';

/** One stretch of a partition, run by run. */
export interface RunCursor {
  readonly stretch: Stretch;
  /** The next records of one leader epoch and the offset behind them; no records where the log has none below it. undefined: the stretch ends. */
  nextRun(): Promise<Pick<RecordRun, 'records' | 'next' | 'epoch'> | undefined>;
}

/** A log that can be read on without an end. */
export interface EndlessLog {
  ranges(topics: readonly string[]): Promise<PartitionRange[]>;
  /** The number of partitions of each topic that exists. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
  read(
    stretches: readonly Stretch[],
  ): Promise<{ readonly cursors: readonly RunCursor[]; close(): Promise<void> }>;
}

export interface FollowOptions {
  readonly ranges: readonly PartitionRange[];
  /** How often added partitions are looked for. */
  readonly lookMs: number;
  /** Ends the following, as its `close` does. */
  readonly closing: AbortSignal;
  /** Told of an added partition that is read from now on. */
  added(range: PartitionRange): void;
}

/**
 * Follows topics from the follower's positions, each partition at its own pace. Added partitions are read from their start.
 * ranges: of all partitions, as of now. @throws FatalError where the log does not hold a position.
 */
export async function follow(
  log: EndlessLog,
  topics: readonly string[],
  follower: Follower,
  { ranges, lookMs, closing, added }: FollowOptions,
): Promise<Following> {
  const following = new AbortController();
  const signal = AbortSignal.any([following.signal, closing]);
  const known = new Map<string, number>();
  const readings: { close(): Promise<void> }[] = [];
  const fail = (error: unknown) => {
    if (signal.aborted || (error instanceof RetryableError && error.code === 'stopped')) return;
    following.abort();
    follower.failed(error instanceof Error ? error : new FatalError('client-fault', reasonOf(error)));
  };
  const isRead = ({ topic, partition }: PartitionRange) => follower.reads?.(topic, partition) ?? true;
  const start = async (begun: readonly PartitionRange[]) => {
    const stretches = begun.filter(isRead).map((range) => {
      const { offset: from, epoch } = startOf(range, follower);
      return { topic: range.topic, partition: range.partition, from, until: Number.MAX_SAFE_INTEGER, epoch };
    });
    for (const { topic, partition } of begun)
      known.set(topic, Math.max(known.get(topic) ?? 0, partition + 1));
    if (stretches.length === 0) return;
    const reading = await log.read(stretches);
    if (signal.aborted) return reading.close();
    readings.push(reading);
    for (const cursor of reading.cursors) void pump(cursor, follower, signal).catch(fail);
  };
  const look = async () => {
    const counts = await log.partitionCounts(topics);
    const isNew = (topic: string, partition: number) => partition >= (known.get(topic) ?? 0);
    const grown = topics.filter((topic) => isNew(topic, (counts.get(topic) ?? 0) - 1));
    if (grown.length === 0) return;
    // Seen late, a new partition may have lost its first records to retention already.
    const news = (await log.ranges(grown)).filter(({ topic, partition }) => isNew(topic, partition));
    if (signal.aborted) return;
    for (const range of news.filter(isRead)) added(range);
    await start(news);
  };
  const looking = async () => {
    for (;;) {
      await pause(lookMs, signal);
      if (signal.aborted) return;
      await look().catch((error) => {
        if (!(error instanceof RetryableError)) throw error;
      });
    }
  };
  await start(ranges);
  const looked = looking().catch(fail);
  return {
    close: async () => {
      following.abort();
      await Promise.all(readings.map((reading) => reading.close()));
      await looked;
    },
  };
}

function startOf(range: PartitionRange, follower: Follower): Position {
  const position = follower.position(range.topic, range.partition) ?? { offset: range.low };
  const { offset, epoch } = position;
  // The log itself says where it parts from a position with an epoch.
  if (offset < range.low || (offset > range.high && epoch === undefined)) throw notHeld(offset, range);
  return position;
}

/** Hands the cursor's records to the follower, until the signal. */
async function pump(cursor: RunCursor, follower: Follower, signal: AbortSignal): Promise<void> {
  const { topic, partition, from } = cursor.stretch;
  if (follower.position(topic, partition) === undefined && from > 0) {
    // Records that retention removed before the first reading count as read. An emptied partition gives no record that
    // would tell.
    await follower.take({ topic, partition, records: [], next: from });
  }
  while (!signal.aborted) {
    const run = await cursor.nextRun();
    if (run === undefined || signal.aborted) return;
    await follower.take({ topic, partition, ...run });
  }
}
