import { partitionOf } from '../../../graph/murmur2.ts';

/** Chooses a partition as Java's client does, by the hash of the key. Messages without a key go to all partitions in turn. */
export function keyPartitioner(): (
  key: string | Uint8Array | null | undefined,
  partitions: number,
) => number {
  let turn = 0;
  return (key, partitions) =>
    key === undefined || key === null ? turn++ % partitions : partitionOf(key, partitions);
}
