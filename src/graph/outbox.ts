import type { EntityKey } from './entity.ts';
import type { Layout } from './layout.ts';
import type { WriteBatch } from './store.ts';

/**
 * The names that one commit adds to the outbox, stored as one entry. A later commit deletes the part once every name in
 * it is acknowledged, or also in a later part. So the stored parts hold at least the names that wait, and may hold more:
 * after a kill, a vector whose part still waited for other names is published again, with the same step.
 */
export interface OutboxPart {
  /** Rises from part to part. */
  readonly number: number;
  readonly names: readonly EntityKey[];
}

/** Most names in a part: few, since one waiting name keeps its whole part stored. */
const PART_NAMES = 1_000;

export function putPart(batch: WriteBatch, layout: Layout, { number, names }: OutboxPart): void {
  batch.put(layout.outboxPartKey(number), layout.encodeNames(names));
}

/** Cuts items, in order, into parts. */
export function* inParts<T>(items: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < items.length; i += PART_NAMES) yield items.slice(i, i + PART_NAMES);
}

/** The names of all parts, each once, in the order of first appearance. */
export function namesIn(parts: readonly OutboxPart[]): Set<EntityKey> {
  return new Set(parts.flatMap(({ names }) => names));
}
