import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';
import type { Follower, Following, PartitionRange, SourceRecord, Stretch } from '../pipeline/ports.ts';
import { pause } from './backoff.ts';
import { outsideOfLog } from './log-errors.ts';

/** Records of one stretch that has no end. */
export interface EndlessCursor {
  readonly stretch: Stretch;
  /** The next records, which may be none, and the offset behind them; undefined where nothing more comes. */
  nextDecoded(): Promise<{ readonly records: readonly SourceRecord[]; readonly next: number } | undefined>;
}

/** Partitions that are being read. */
export interface OpenReading {
  readonly cursors: readonly EndlessCursor[];
  add(stretch: Stretch): EndlessCursor;
  close(): Promise<void>;
}

/** A log, as far as following it is its own matter. */
export interface Followable {
  /** What the log holds now, once it answers. */
  ranges(): Promise<readonly PartitionRange[]>;
  open(stretches: readonly Stretch[]): OpenReading;
  /** The partitions that are not `known`, by `topic/partition`; none while the log is out of reach. */
  added(known: ReadonlySet<string>): Promise<readonly Omit<PartitionRange, 'high'>[]>;
  /** Interval of looking for added partitions. */
  readonly lookMs: number;
  /** Ends all reading of the log. */
  readonly closing: AbortSignal;
}

/** Hands every record from the follower's positions on to it, also of partitions added later: see `EventLog.follow`. */
export async function followBy(log: Followable, follower: Follower): Promise<Following> {
  const reads = ({ topic, partition }: Omit<PartitionRange, 'high'>) =>
    follower.reads?.(topic, partition) ?? true;
  const ranges = await log.ranges();
  const stretches = ranges.filter(reads).map((range) => {
    const { topic, partition, low, high } = range;
    const from = follower.position(topic, partition) ?? low;
    if (from < low || from > high) throw outsideOfLog(from, range);
    return { topic, partition, from, until: Number.MAX_SAFE_INTEGER };
  });
  const reading = log.open(stretches);
  const following = new AbortController();
  const signal = AbortSignal.any([following.signal, log.closing]);
  const fail = (error: unknown) => {
    if (signal.aborted || (error instanceof RetryableError && error.code === 'stopped')) return;
    following.abort();
    follower.failed(error instanceof Error ? error : new FatalError('fault', reasonOf(error)));
  };
  const start = (cursor: EndlessCursor) => void pump(cursor, follower, signal).catch(fail);
  for (const cursor of reading.cursors) start(cursor);
  const known = new Set(ranges.map(nameOf));
  const look = async () => {
    for (;;) {
      await pause(log.lookMs, signal);
      if (signal.aborted) return;
      for (const range of await log.added(known)) {
        const { topic, partition, low } = range;
        known.add(nameOf(range));
        if (!reads(range)) continue;
        const from = follower.position(topic, partition) ?? low;
        start(reading.add({ topic, partition, from, until: Number.MAX_SAFE_INTEGER }));
      }
    }
  };
  const looking = look().catch(fail);
  return {
    close: async () => {
      following.abort();
      await reading.close();
      await looking;
    },
  };
}

/** Hands the cursor's records to the follower, until the signal. */
async function pump(cursor: EndlessCursor, follower: Follower, signal: AbortSignal): Promise<void> {
  const { topic, partition, from } = cursor.stretch;
  if (follower.position(topic, partition) === undefined && from > 0) {
    // Records that retention removed before the first reading count as read. An emptied partition gives no record that
    // would tell.
    await follower.take({ topic, partition, records: [], next: from });
  }
  while (!signal.aborted) {
    const decoded = await cursor.nextDecoded();
    if (decoded === undefined || signal.aborted) return;
    await follower.take({ topic, partition, records: decoded.records, next: decoded.next });
  }
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
