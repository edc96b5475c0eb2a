import { differences } from '../../graph/head.ts';
import type { SourceRecord } from '../../pipeline/ports.ts';
import { Random } from '../../sampling/random.ts';
import { type CommonEntity, type ComparedStores, type OnProgress, readVectors } from './compared-stores.ts';
import { bestRotation, type Drift, driftOf } from './drift.ts';
import { readHeldEdges } from './held-edges.ts';
import { KnownEdges } from './known-edges.ts';
import { compareEdges, compareEntities, type Membership } from './membership.ts';
import { neighbourOverlap, type Overlap } from './neighbours.ts';
import { compareQuality, type Quality } from './quality.ts';

/** Per type: candidates that the ends of held-back edges are ranked against, and entities whose neighbours are compared. */
const CANDIDATES = 500;
const ASKED = 500;
/** With fewer entities per dimension, a rotation fits any vectors. */
const ROTATION_ENTITIES_PER_DIM = 10;
/** A rotation costs dim³ a round: minutes above this. */
const ROTATION_MAX_DIM = 512;

export interface CompareOptions extends ComparedStores {
  /** Records after the offsets of both stores, with their content. */
  readonly records: readonly SourceRecord[];
  /** Most entities per type whose vectors are compared. */
  readonly sample: number;
  readonly seed: number;
  readonly onProgress: OnProgress;
}

/** The comparison of two stores of a graph. */
export interface Comparison {
  /** The differences between the models, a phrase each. */
  readonly models: readonly string[];
  /** By type. trained: entities that are trained in both stores. */
  readonly entities: Readonly<Record<string, Membership & { readonly trained: number }>>;
  /** Live edges by relation. */
  readonly edges: Readonly<Record<string, Membership>>;
  /** records: read after the offsets of both stores; edges: the edges in them that test both stores fairly. */
  readonly held: { readonly records: number; readonly edges: number };
  /** Absent where no edge could be ranked. */
  readonly quality?: Quality;
  /** By type, for types with at least two entities. */
  readonly neighbours: Readonly<Record<string, Overlap>>;
  readonly drift: DriftComparison;
}

/** Drift by type. */
export interface DriftComparison {
  /** Whether both stores come from one training run; raw distances are meaningful only then. */
  readonly sameSpace: boolean;
  /** Between stored vectors; empty where the dims differ. */
  readonly raw: Readonly<Record<string, Drift>>;
  /** After A's vectors are rotated to best match B's; empty where no rotation could be found. */
  readonly rotated: Readonly<Record<string, Drift>>;
}

/**
 * Compares two stores: entities and edges of only one store, ranking of edges that neither store was trained on, and
 * distances between vectors of the same entities. Reads the entities and edges of each store once, and keeps only the
 * vectors of sampled entities. The same stores, records and seed give the same figures.
 */
export async function compareStores(options: CompareOptions): Promise<Comparison> {
  const { a, b, records, sample, seed, onProgress } = options;
  const found = await compareEntities(options, { sample, random: Random.seeded(seed), onProgress });
  const held = await readHeldEdges(options, records, onProgress);
  const candidates = new Map(
    [...found].map(([type, entities]) => [type, entities.sample.slice(0, CANDIDATES)]),
  );
  const known = new KnownEdges(
    held.edges,
    [...candidates.values()].flatMap((entities) => entities.map(({ key }) => key)),
  );
  const edges = await compareEdges(options, { onEdge: (edge) => known.saw(edge), onProgress });
  const quality = await compareQuality(options, held.edges, candidates, known, onProgress);
  const vectors = await readSamples(options, new Map([...found].map(([type, each]) => [type, each.sample])));
  return {
    models: differences(a.head.model, b.head.model, ['A', 'B']),
    entities: Object.fromEntries(
      [...found].map(([type, { sample: _sample, ...members }]) => [type, members]),
    ),
    edges: Object.fromEntries(edges),
    held: { records: held.records, edges: held.edges.length },
    ...(quality && { quality }),
    neighbours: overlaps(options, vectors),
    drift: drifts(options, vectors),
  };
}

/** Vectors of the sample of a type in both stores: [n, dim], with the dim of each store. */
interface SampledVectors {
  readonly type: string;
  readonly as: Float32Array;
  readonly bs: Float32Array;
}

async function readSamples(
  { a, b }: ComparedStores,
  samples: ReadonlyMap<string, readonly CommonEntity[]>,
): Promise<SampledVectors[]> {
  const vectors: SampledVectors[] = [];
  for (const [type, entities] of samples) {
    const as = await readVectors(
      a.store,
      entities.map(({ rowA }) => rowA),
    );
    const bs = await readVectors(
      b.store,
      entities.map(({ rowB }) => rowB),
    );
    vectors.push({ type, as, bs });
  }
  return vectors;
}

function overlaps(
  { a, b, onProgress }: CompareOptions,
  vectors: readonly SampledVectors[],
): Record<string, Overlap> {
  return byType(vectors, ({ type, as, bs }) => {
    onProgress(`neighbours of ${type} entities`, as.length / a.store.layout.dim);
    const [inA, inB] = [
      { vectors: as, dim: a.store.layout.dim },
      { vectors: bs, dim: b.store.layout.dim },
    ];
    return neighbourOverlap(inA, inB, ASKED);
  });
}

function drifts({ a, b, onProgress }: CompareOptions, vectors: readonly SampledVectors[]): DriftComparison {
  const { dim } = a.store.layout;
  const sameSpace = a.head.space !== '' && a.head.space === b.head.space;
  if (dim !== b.store.layout.dim) return { sameSpace, raw: {}, rotated: {} };
  const raw = byType(vectors, ({ as, bs }) => driftOf(as, bs, dim));
  const [as, bs] = [joined(vectors.map((each) => each.as)), joined(vectors.map((each) => each.bs))];
  if (as.length / dim < ROTATION_ENTITIES_PER_DIM * dim || dim > ROTATION_MAX_DIM) {
    return { sameSpace, raw, rotated: {} };
  }
  onProgress('vectors rotated', as.length / dim);
  const rotation = bestRotation(as, bs, dim);
  const rotated = rotation ? byType(vectors, (each) => driftOf(each.as, each.bs, dim, rotation)) : {};
  return { sameSpace, raw, rotated };
}

function byType<T>(
  vectors: readonly SampledVectors[],
  figuresOf: (each: SampledVectors) => T | undefined,
): Record<string, T> {
  return Object.fromEntries(
    vectors.flatMap((each) => {
      const figures = figuresOf(each);
      return figures === undefined ? [] : [[each.type, figures]];
    }),
  );
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
