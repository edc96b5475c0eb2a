import { FatalError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { type Shard, shardOf } from '../../graph/shard.ts';

/** Vectors read at a time. */
const BATCH = 4_096;

/** The vectors of one type in a store. */
export interface StoredVectors {
  readonly store: GraphStore;
  readonly type: string;
  readonly dim: number;
  /** How many there are, by the store's head. */
  readonly entities: number;
  /** Given for a shard's store: copies of other shards' entities are left out. */
  readonly shard?: Shard | undefined;
  readonly stopping: AbortSignal;
}

/**
 * Each vector in the order of the store, or those that are picked. bytes: little-endian float32.
 * @throws RetryableError `interrupted` after a signal; FatalError `export` where the store's parts disagree.
 */
export async function* vectorsOf(
  { store, type, entities, shard, stopping }: StoredVectors,
  pick: () => boolean = () => true,
): AsyncIterable<{ readonly key: EntityKey; readonly bytes: Uint8Array }> {
  async function* read(batch: readonly { key: EntityKey; row: number }[]) {
    stopping.throwIfAborted();
    const vectors = await store.readVectors(batch.map(({ row }) => row));
    for (const { key, row } of batch) {
      const bytes = vectors.get(row)?.bytes;
      if (bytes === undefined)
        throw new FatalError('file', `${key} has no vector in the store; run twhin check`);
      yield { key, bytes };
    }
  }
  let found = 0;
  let batch: { key: EntityKey; row: number }[] = [];
  for await (const { key, row } of store.entities(type)) {
    if (shard !== undefined && shardOf(key, shard.count) !== shard.index) continue;
    found++;
    if (pick()) batch.push({ key, row });
    if (batch.length < BATCH) continue;
    yield* read(batch);
    batch = [];
  }
  yield* read(batch);
  if (found !== entities)
    throw new FatalError(
      'file',
      `${found} entities of type ${type} are stored, and the head counts ${entities}; run twhin check`,
    );
}
