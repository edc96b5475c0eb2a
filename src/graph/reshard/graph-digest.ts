import { createHash } from 'node:crypto';
import { FatalError } from '../../errors/errors.ts';
import { type Counted, type Counts, describeDifference, differencesFrom, Tally } from '../census.ts';
import { typeOf } from '../entity.ts';
import type { Head } from '../head.ts';
import { shardOf } from '../shard.ts';
import type { MergedEdge, MergedGraph } from './merged-graph.ts';

/** What the stores of a graph hold together. It does not depend on the number of stores, nor on the rows of the entities. */
export interface GraphDigest {
  /** Sixteen hex digits, over every edge with its time and removal mark. */
  readonly edges: string;
  /** The same over every stored row of an entity at its owner: name, updates, times seen, vector, accumulator, drift and step. */
  readonly vectors: string;
  /** Live edges by relation, and removed ones. */
  readonly live: Counts;
  readonly removed: number;
  /** Entities by type that their owners have. */
  readonly entities: Counts;
  /** Edges that are not in one state in the stores of both owners and nowhere else: one of these has not read them yet. */
  readonly uneven: number;
}

/** Where the row's number ends in an entity's value. */
const AFTER_ROW = 4;

/**
 * Digests a graph. heads: of its stores.
 * @throws FatalError where a store holds other numbers of edges or entities than its head counts: RocksDB does not notice a
 * truncated list of files.
 */
export async function digestGraph(
  graph: MergedGraph,
  heads: readonly Head[],
  onProgress: (entries: number) => void = () => {},
): Promise<GraphDigest> {
  const { layout } = graph;
  const there = heads.map(() => ({ entities: new Tally(), edges: new Tally() }));
  const [edges, vectors] = [createHash('sha256'), createHash('sha256')];
  const [live, entities] = [new Tally(), new Tally()];
  let [removed, uneven, done] = [0, 0, 0];
  for await (const block of graph.entities()) {
    const rows = await graph.rowsOf(block);
    block.forEach(({ key, name, held, owner, own }, i) => {
      const type = typeOf(name);
      for (const { store } of held) there[store]!.entities.add(type);
      if (own === undefined) return;
      entities.add(type);
      const row = rows[i];
      if (row === undefined) return;
      vectors.update(key);
      vectors.update(held.find(({ store }) => store === owner)!.value.subarray(AFTER_ROW));
      vectors.update(row);
    });
    done += block.length;
    onProgress(done);
  }
  for await (const block of graph.edges()) {
    for (const edge of block) {
      const { key, value, held, erased } = edge;
      const relation = layout.relations[layout.relationIn(key)]!.name;
      for (const each of held) if (!layout.isRemoved(each.value)) there[each.store]!.edges.add(relation);
      if (!isEven(graph, edge)) uneven++;
      if (erased) continue;
      if (layout.isRemoved(value)) removed++;
      else live.add(relation);
      edges.update(key);
      edges.update(value);
    }
    done += block.length;
    onProgress(done);
  }
  heads.forEach((head, store) => {
    checkCounts(head, { entities: there[store]!.entities.counts, edges: there[store]!.edges.counts });
  });
  return {
    edges: edges.digest('hex').slice(0, 16),
    vectors: vectors.digest('hex').slice(0, 16),
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

/** @throws FatalError where the store holds other numbers than its head counts. */
function checkCounts(head: Head, there: Counted): void {
  const [first] = differencesFrom(head, there);
  if (first === undefined) return;
  throw new FatalError(
    'store-damaged',
    `the store of ${head.graph} does not match its head: ${describeDifference(first)}; twhin check --graph ${head.graph} says what to do about it`,
  );
}
