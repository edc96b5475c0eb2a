import type { Stretch } from '../pipeline/ports.ts';

/** Offsets of the stretches, markers of transactions included. */
export function recordsIn(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, until }) => sum + until - from, 0);
}

export function partitionName({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
