import type { Stretch } from '../pipeline/ports.ts';

/** Records between start and end, markers of transactions counted too. */
export function recordsIn(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, until }) => sum + until - from, 0);
}

export function partitionName({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
