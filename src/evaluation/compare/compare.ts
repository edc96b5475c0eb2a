import type { EntityKey } from '../../graph/entity.ts';
import { differences } from '../../graph/head.ts';
import type { SourceRecord } from '../../pipeline/ports.ts';
import { Random } from '../../sampling/random.ts';
import { type ComparedStores, type OnProgress, readHeldEdges, trainedInBoth } from './held-edges.ts';
import { compareQuality, type Quality } from './quality.ts';

/** Per type: candidates that the ends of held-back edges are ranked against. */
const CANDIDATES = 500;
const PROGRESS_EVERY = 4_096;

export interface CompareOptions extends ComparedStores {
  /** Records after the offsets of both stores, with their content. */
  readonly records: readonly SourceRecord[];
  readonly seed: number;
  readonly onProgress: OnProgress;
}

/** How two stores of a graph rank of a graph. */
export interface Comparison {
  /** The differences between the models, a phrase each. */
  readonly models: readonly string[];
  /** records: read after the offsets of both stores; edges: the edges in them that test both stores fairly. */
  readonly held: { readonly records: number; readonly edges: number };
  /** Absent where no edge could be ranked. */
  readonly quality?: Quality;
}

/** Compares how two stores rank edges that neither was trained on. The same stores, records and seed give the same figures. */
export async function compareStores(options: CompareOptions): Promise<Comparison> {
  const { a, b, records, seed, onProgress } = options;
  const models = differences(a.head.model, b.head.model, ['A', 'B']);
  const edges = await readHeldEdges(options, records, onProgress);
  const held = { records: records.length, edges: edges.length };
  if (edges.length === 0) return { models, held };
  const candidates = await candidatesOf(options, Random.seeded(seed), onProgress);
  const quality = await compareQuality(options, edges, candidates, onProgress);
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
