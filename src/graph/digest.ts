import { createHash } from 'node:crypto';
import { type EntityRecord, type GraphStore, inBatches, type StoredRow } from './graph-store.ts';
import { asBuffer } from './layout.ts';

/** Two digests of sixteen hex digits: equal exactly where two stores hold the same edges, and the same vectors. */
export interface Digest {
  readonly edges: string;
  readonly vectors: string;
}

/**
 * The digest of a store. It does not depend on the order in which rows were given to entities.
 * edges: live edges with their times. vectors: step, relation rows, then each entity's name, vector and accumulator.
 */
export async function digest(
  store: GraphStore,
  onProgress: (done: number) => void = () => {},
): Promise<Digest> {
  const edges = createHash('sha256');
  let done = 0;
  for await (const edge of store.edges()) {
    if (!edge.removed) edges.update(`${edge.lhs}\n${edge.relation}\n${edge.rhs}\n${edge.at}\n`);
    if (++done % 10_000 === 0) onProgress(done);
  }
  const vectors = createHash('sha256');
  const head = await store.head();
  vectors.update(`${head?.step ?? 0}\n`);
  const relationRows = store.layout.relations.flatMap((_, i) => [2 * i, 2 * i + 1]);
  for (const row of await store.readRows(relationRows)) vectors.update(learned(row, store.layout.dim));
  for await (const entities of inBatches<EntityRecord>(store.entities())) {
    const rows = await store.readRows(entities.map(({ row }) => row));
    entities.forEach(({ key }, i) => {
      vectors.update(`${key}\n`);
      vectors.update(learned(rows[i], store.layout.dim));
    });
    done += entities.length;
    onProgress(done);
  }
  return { edges: edges.digest('hex').slice(0, 16), vectors: vectors.digest('hex').slice(0, 16) };
}

/** Vector and accumulator. Drift is left out: it depends on publishing, not on training. */
function learned(row: StoredRow | undefined, dim: number): Uint8Array {
  if (row === undefined) return new Uint8Array(0);
  const floats = row.floats.subarray(0, dim + 1);
  return asBuffer(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
}
