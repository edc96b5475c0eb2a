import type { EntityKey } from '../../graph/entity.ts';
import { differences } from '../../graph/head.ts';
import type { SourceRecord } from '../../pipeline/ports.ts';
import { Random } from '../../sampling/random.ts';
import { type ComparedStores, type OnProgress, readHeldEdges, trainedInBoth } from './held-edges.ts';
import { compareQuality, type Quality } from './quality.ts';

/** Per type: candidates that the ends of held-back edges are ranked against. */
const CANDIDATES = 500;
const PROGRESS_EVERY = 4_096;
const SEED = 1;

/** How two stores of a graph rank. */
export interface Comparison {
  /** The differences between the models, a phrase each. */
  readonly models: readonly string[];
  /** records: read after the offsets of both stores; edges: the edges in them that test both stores fairly. */
  readonly held: { readonly records: number; readonly edges: number };
  /** Absent where no edge could be ranked. */
  readonly quality?: Quality;
}

/** Compares how two stores rank edges that neither has read; with the same records, alike each time. records: with their content. */
export async function compareStores(
  stores: ComparedStores,
  records: readonly SourceRecord[],
  onProgress: OnProgress,
): Promise<Comparison> {
  const models = differences(stores.a.head.model, stores.b.head.model, ['A', 'B']);
  const edges = await readHeldEdges(stores, records, onProgress);
  const held = { records: records.length, edges: edges.length };
  if (edges.length === 0) return { models, held };
  const candidates = await candidatesOf(stores, Random.seeded(SEED), onProgress);
  const quality = await compareQuality(stores, edges, candidates, onProgress);
  return { models, held, ...(quality && { quality }) };
}

/**
 * By type: a uniform random sample of the entities that are trained in both stores.
 * Source: Vitter 1985, "Random sampling with a reservoir", algorithm R.
 */
async function candidatesOf(
  stores: ComparedStores,
  random: Random,
  onProgress: OnProgress,
): Promise<Map<string, readonly EntityKey[]>> {
  const found = new Map<string, readonly EntityKey[]>();
  let done = 0;
  for (const type of stores.a.head.model.entityTypes) {
    if (!stores.b.head.model.entityTypes.includes(type)) continue;
    const sample: EntityKey[] = [];
    let offered = 0;
    for await (const { key } of stores.a.store.entities(type)) {
      if (++done % PROGRESS_EVERY === 0) onProgress('entities', done);
      if (!trainedInBoth(stores, key)) continue;
      const place = ++offered <= CANDIDATES ? sample.length : random.below(offered);
      if (place < CANDIDATES) sample[place] = key;
    }
    found.set(type, sample);
  }
  return found;
}
