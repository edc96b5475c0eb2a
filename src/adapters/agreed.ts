import type { PartitionRange, Position, Positions } from '../pipeline/ports.ts';

/** The newest leader epoch of a log that is not newer than the one asked for, and the offset after its last record; −1 where there is none. */
export interface EpochEnd {
  readonly epoch: number;
  readonly offset: number;
}

/** Whether a log lacks records that were read before the position: the epoch is not in it, or ends sooner. Source: KIP-320. */
export function isLost({ offset, epoch = -1 }: Position, end: EpochEnd): boolean {
  return end.epoch < epoch || end.offset < offset;
}

/** For each position, the last one up to which the log holds the records that were read: see `EventLog.agreed`. */
export async function agreedIn(
  ranges: readonly PartitionRange[],
  positions: Positions,
  endOf: (range: PartitionRange, epoch: number) => Promise<EpochEnd>,
): Promise<Positions> {
  const agreed: Record<string, Record<string, Position>> = {};
  for (const range of ranges) {
    const { topic, partition } = range;
    const position = positions[topic]?.[partition];
    if (position === undefined) continue;
    const at = await agreedAt(range, position, (epoch) => endOf(range, epoch));
    agreed[topic] = { ...agreed[topic], [partition]: at };
  }
  return agreed;
}

async function agreedAt(
  { low }: PartitionRange,
  { offset, epoch }: Position,
  endOf: (epoch: number) => Promise<EpochEnd>,
): Promise<Position> {
  // A log that lost its end may have grown past the offset.
  if (epoch === undefined) return { offset: low };
  const end = await endOf(epoch);
  if (end.epoch === epoch) {
    const until = Math.min(offset, end.offset);
    return until < low ? { offset: low } : { offset: until, epoch };
  }
  // The last records of an older epoch may be others than those that were read: all of that epoch is read again.
  if (end.epoch <= 0) return { offset: low };
  const before = await endOf(end.epoch - 1);
  return { offset: Math.max(low, Math.min(before.offset, offset)) };
}
