import { UsageError } from '../../errors/errors.ts';
import { type EntityKey, parseEntityKey, typeOf } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import { asBuffer, type Layout } from '../../graph/layout.ts';
import type { ReadableLog } from '../ports.ts';
import { eachRecord, wholeTopics } from '../reading/bounded.ts';
import type { Trainer } from '../training/trainer.ts';

/** How the topics with vectors differ from a store. */
export interface Differing {
  readonly records: number;
  /** The highest step and epoch in the topics; −1 and 0 where they hold none. */
  readonly step: number;
  readonly epoch: number;
  /** Space of the writer with the highest epoch. */
  readonly space: string | undefined;
  /** Entities whose last vector in the topic is not the store's, and keys that only one of the two has. */
  readonly keys: EntityKey[];
}

/**
 * Compares the topics that a graph's vectors are published to with a store: finds which entities have to be published
 * for both to hold the same. Of relation vectors only the steps count: a new leader publishes all of them.
 * Memory: a byte for each row, and the keys that differ.
 * owns: whether an entity's vector is this store's to publish; entities of other shards are passed over.
 */
export async function differing(
  reader: ReadableLog,
  topics: readonly string[],
  layout: Layout,
  trainer: Pick<Trainer, 'vectors'>,
  index: EntityIndex,
  owns: (key: EntityKey) => boolean,
): Promise<Differing> {
  /** By row: 1 where the last vector read equals the store's. */
  const same = new Uint8Array(index.nextRow);
  const unknown = new Set<EntityKey>();
  let [count, step, highest] = [0, -1, 0];
  let space: string | undefined;
  await eachRecord(reader, await wholeTopics(reader, topics), async (records) => {
    // Relation vectors and records of other programs are everybody's.
    const own = records
      .map((record) => ({ record, entity: entityOf(record.key, layout) }))
      .filter(({ entity }) => entity === undefined || owns(entity));
    count += own.length;
    const rows = own.map(({ entity }) => entity && index.find(entity));
    const known = Int32Array.from(rows.filter((row) => row !== undefined));
    const vectors = asBuffer(await trainer.vectors(known));
    const size = 4 * layout.dim;
    let next = 0;
    own.forEach(({ record: { value, headers }, entity }, i) => {
      step = Math.max(step, numberIn(headers?.['step']));
      const epoch = numberIn(headers?.['epoch']);
      if (epoch >= highest) {
        highest = epoch;
        space = headers?.['space']?.toString();
      }
      const row = rows[i];
      if (row !== undefined) {
        const own = vectors.subarray(next * size, ++next * size);
        same[row] = value?.equals(own) ? 1 : 0;
      } else if (entity !== undefined) {
        if (value === null) unknown.delete(entity);
        else unknown.add(entity);
      }
    });
  });
  const keys = [...unknown];
  for (let row = 0; row < same.length; row++) {
    const key = same[row] === 1 ? undefined : index.keyAt(row);
    if (key !== undefined && owns(key)) keys.push(key);
  }
  return { records: count, step, epoch: highest, space, keys };
}

/** undefined: another program's record, which is left alone. */
function entityOf(key: Buffer | null, layout: Layout): EntityKey | undefined {
  try {
    const entity = key === null ? undefined : parseEntityKey(key.toString());
    return entity && layout.typeIndex(typeOf(entity)) !== undefined ? entity : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function numberIn(header: Buffer | undefined): number {
  const value = Number(header?.toString());
  return Number.isSafeInteger(value) ? value : -1;
}
