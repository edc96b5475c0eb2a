import type { EntityKey } from './entity.ts';
import type { Layout } from './layout.ts';
import type { Store, WriteBatch } from './store.ts';

/**
 * Names that one commit put up, to be published: one entry for all of them, which a later commit deletes once each is
 * acknowledged or put up anew by a later part. What is stored is then never less than what waits; it can be more, and
 * after a kill a vector whose part still waited for others is published once more, with the same step.
 */
export interface OutboxPart {
  /** Rises from part to part; undefined: of a store of before, with an entry for each name. */
  readonly number: number | undefined;
  readonly names: readonly EntityKey[];
}

export interface NumberedPart extends OutboxPart {
  readonly number: number;
}

/** Names in a part at most: few enough that one of them that waits keeps little else stored. */
const PART_NAMES = 1_000;

/** Every part, oldest first. */
export async function* outboxParts(store: Pick<Store, 'runs'>, layout: Layout): AsyncIterable<OutboxPart> {
  const { prefixes } = layout;
  for await (const run of store.runs(prefixes.outboxNames)) {
    for (const entries of inParts(run))
      yield { number: undefined, names: entries.map(({ key }) => layout.entityOf(key)) };
  }
  for await (const run of store.runs(prefixes.outboxParts)) {
    for (const { key, value } of run)
      yield { number: layout.outboxNumberOf(key), names: layout.decodeNames(value) };
  }
}

export function putPart(batch: WriteBatch, layout: Layout, { number, names }: NumberedPart): void {
  batch.put(layout.outboxPartKey(number), layout.encodeNames(names));
}

export function dropPart(batch: WriteBatch, layout: Layout, { number, names }: OutboxPart): void {
  if (number === undefined) for (const name of names) batch.delete(layout.outboxNameKey(name));
  else batch.delete(layout.outboxPartKey(number));
}

/** In order, as many at a time as a part holds at most. */
export function* inParts<T>(items: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < items.length; i += PART_NAMES) yield items.slice(i, i + PART_NAMES);
}

/** Names of all of them, each once, in the order in which they come first. */
export function namesIn(parts: readonly OutboxPart[]): Set<EntityKey> {
  return new Set(parts.flatMap(({ names }) => names));
}
