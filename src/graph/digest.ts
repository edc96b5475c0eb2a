import { createHash } from 'node:crypto';
import { FatalError } from '../errors/errors.ts';
import { Census, type Counts, describeDifference, differencesFrom, Tally } from './census.ts';
import { typeOf } from './entity.ts';
import type { GraphStore } from './graph-store.ts';
import { type MergedEdge, MergedGraph, relationRows } from './merged-graph.ts';
import { shardOf } from './shard.ts';

/** What the stores of a graph hold together. It does not depend on the number of stores, nor on the rows of the entities. */
export interface GraphDigest {
  /** Two digests of sixteen hex digits: equal exactly where two graphs hold the same edges, and the same vectors. */
  readonly digest: { readonly edges: string; readonly vectors: string };
  /** The step that the vectors are as of: the highest of the checkpoints, 0 where there is none. */
  readonly step: number;
  /** Live edges by relation, and removed ones. */
  readonly live: Counts;
  readonly removed: number;
  /** Entities by type that their owners have. */
  readonly entities: Counts;
  /** Edges that are not in one state in the stores of both owners and nowhere else: one of these has not read them yet. */
  readonly uneven: number;
}

/**
 * Digests a graph: one store, or those of all its shards in their order.
 * edges: every edge with its time and removal mark. vectors: the step, the relation rows of the first store, then each entity's
 * name, updates, times seen, vector and accumulator at its owner. Drift is left out: it depends on publishing, not on training.
 * Vectors, accumulators and step are as of the checkpoints, all else is as of the last commit; an entity without a vector is left out.
 * @throws FatalError where a store holds other numbers of edges or entities than its head counts: RocksDB does not notice a
 * truncated list of files.
 */
export async function digest(
  stores: readonly GraphStore[],
  onProgress: (entries: number) => void = () => {},
): Promise<GraphDigest> {
  const graph = await MergedGraph.read(stores);
  const { layout } = graph;
  const there = stores.map(() => new Census(layout));
  const [edges, vectors] = [createHash('sha256'), createHash('sha256')];
  const [live, entities] = [new Tally(), new Tally()];
  let [removed, uneven, done] = [0, 0, 0];
  const learned = (row: Float32Array) => row.subarray(0, layout.dim + 1);
  const heads = await Promise.all(stores.map((store) => store.head()));
  const checkpoints = await Promise.all(stores.map((store) => store.checkpoint()));
  const step = Math.max(...checkpoints.map((checkpoint) => checkpoint?.head.step ?? 0));
  vectors.update(`${step}\n`);
  for (const row of await relationRows(stores[0]!)) if (row) vectors.update(learned(row));
  for await (const block of graph.entities()) {
    const rows = await graph.rowsOf(block);
    block.forEach(({ key, name, own }, i) => {
      if (own === undefined) return;
      entities.add(typeOf(name));
      const row = rows[i];
      if (row === undefined || row.every((number) => number === 0)) return;
      vectors.update(key);
      vectors.update(Float64Array.of(own.updates, own.firstSeen, own.lastSeen));
      vectors.update(learned(row));
    });
    done += block.length;
    onProgress(done);
  }
  for await (const block of graph.edges()) {
    for (const edge of block) {
      const { key, value, held, erased } = edge;
      for (const each of held) there[each.store]!.add({ key, value: each.value });
      if (!isEven(graph, edge)) uneven++;
      if (erased) continue;
      if (layout.isRemoved(value)) removed++;
      else live.add(layout.relations[layout.relationIn(key)]!.name);
      edges.update(key);
      edges.update(value);
    }
    done += block.length;
    onProgress(done);
  }
  for (const [store, head] of heads.entries()) {
    if (head === undefined) continue;
    const { edges } = there[store]!.counted;
    const counted = { entities: (await stores[store]!.index()).counts(), edges };
    const [first] = differencesFrom(head, counted);
    if (first === undefined) continue;
    const what = `the store of ${head.graph} does not match its head: ${describeDifference(first)}`;
    throw new FatalError(
      'store-damaged',
      `${what}; twhin check --graph ${head.graph} says what to do about it`,
    );
  }
  return {
    digest: { edges: edges.digest('hex').slice(0, 16), vectors: vectors.digest('hex').slice(0, 16) },
    step,
    live: live.counts,
    removed,
    entities: entities.counts,
    uneven,
  };
}

/** Whether both owners hold the edge in one state, and no other store holds it. */
function isEven({ layout, stores }: MergedGraph, { key, held, value, erased }: MergedEdge): boolean {
  if (erased) return false;
  const { lhs, rhs } = layout.edgeOf(key);
  const owners = new Set([shardOf(lhs, stores.length), shardOf(rhs, stores.length)]);
  return (
    held.length === owners.size &&
    held.every((each) => owners.has(each.store) && Buffer.compare(each.value, value) === 0)
  );
}
