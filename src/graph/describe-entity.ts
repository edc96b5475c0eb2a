import { type EntityKey, typeOf } from './entity.ts';
import type { EntityRecord, GraphStore } from './graph-store.ts';
import type { EntityState } from './layout.ts';
import { type Neighbour, nearest, norm } from './nearest.ts';

const NEAREST = 60;
const NEAREST_OF_A_TYPE = 10;
const EXAMPLES = 10;

/** What `twhin show` and the dashboard say of an entity. */
export interface EntityDescription extends Omit<EntityState, 'row'> {
  readonly entity: EntityKey;
  /** Live edges by relation: counts, and the other ends of the first ones. */
  readonly edges: Record<string, { out: number; in: number; some: EntityKey[] }>;
  /** The step that the vectors here are as of: the checkpoint's. An entity that is newer has a vector of zeros. */
  readonly step: number;
  /** When that was, epoch ms; undefined before the first checkpoint. */
  readonly at: number | undefined;
  readonly norm: number;
  /** Path of the vector since its last publication; null: it was never published. */
  readonly drift: number | null;
  /** The 60 nearest entities by type, at most ten of each, best first. */
  readonly nearest: Record<string, Neighbour[]>;
}

/** Compares with every vector, and counts at most `mostEdges` edges. */
export async function describeEntity(
  store: GraphStore,
  record: EntityRecord,
  mostEdges = Number.POSITIVE_INFINITY,
): Promise<{ description: EntityDescription; vector: Float32Array }> {
  const { dim } = store.layout;
  const [floats = new Float32Array(dim + 2)] = await store.readRows([record.row]);
  const drift = floats[dim + 1]!;
  const { step = 0, at } = (await store.checkpoint())?.head ?? {};
  const description = {
    entity: record.key,
    edges: await edgesOf(store, record.key, mostEdges),
    firstSeen: record.firstSeen,
    lastSeen: record.lastSeen,
    updates: record.updates,
    step,
    at,
    norm: norm(floats, dim),
    drift: Number.isFinite(drift) ? drift : null,
    nearest: byType(await nearest(store, record.row, NEAREST)),
  };
  return { description, vector: floats.subarray(0, dim) };
}

async function edgesOf(
  store: GraphStore,
  key: EntityKey,
  mostEdges: number,
): Promise<EntityDescription['edges']> {
  const edges: EntityDescription['edges'] = {};
  let looked = 0;
  for await (const { removed, relation, direction, lhs, rhs } of store.edgesOf(key)) {
    if (++looked > mostEdges) break;
    if (removed) continue;
    edges[relation] ??= { out: 0, in: 0, some: [] };
    const of = edges[relation];
    of[direction]++;
    if (of.some.length < EXAMPLES) of.some.push(direction === 'out' ? rhs : lhs);
  }
  return edges;
}

function byType(neighbours: readonly Neighbour[]): EntityDescription['nearest'] {
  const types = [...Map.groupBy(neighbours, ({ entity }) => typeOf(entity))];
  return Object.fromEntries(types.map(([type, found]) => [type, found.slice(0, NEAREST_OF_A_TYPE)]));
}
