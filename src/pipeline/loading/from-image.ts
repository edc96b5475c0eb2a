import { type EntityIndex, unpackEntities } from '../../graph/entity-index.ts';
import type { Head } from '../../graph/head.ts';
import type { Layout } from '../../graph/layout.ts';
import { NO_TYPE } from '../../sampling/type-rows.ts';
import type { Trainer } from '../training/trainer.ts';
import { indexFor, withholdOrphans } from './from-store.ts';
import type { ImageBlock } from './image.ts';
import { OneAhead } from './one-ahead.ts';

/** As `loadEntities`, `loadRows` and `loadEdges` have it, from an image. */
export async function loadImage(
  blocks: AsyncIterable<ImageBlock>,
  layout: Layout,
  head: Head,
  trainer: Trainer,
  onProgress: (done: { rows: number; of: number }) => void,
): Promise<EntityIndex> {
  const index = indexFor(layout, head);
  const loading = new OneAhead();
  let first = 0;
  for await (const { floats, edges, entities } of blocks) {
    const count = floats.length / (layout.dim + 2);
    const types = new Uint8Array(count).fill(NO_TYPE);
    const trained = new Uint8Array(count);
    unpackEntities(entities, index, ({ row, type, updates }) => {
      types[row - first] = type;
      trained[row - first] = updates > 0 ? 1 : 0;
    });
    withholdOrphans(index, 2 * layout.relations.length, { first, types, floats });
    await loading.after(async () => {
      await trainer.loadRows({ types, trained, floats });
      await trainer.loadEdges(edges);
    });
    first += count;
    onProgress({ rows: first, of: head.rows });
  }
  await loading.done();
  return index;
}
