import { type Counts, Tally } from '../census.ts';
import type { EdgeChange, EdgeName } from '../edge.ts';
import type { EntityKey } from '../entity.ts';
import type { GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { asBuffer, type Layout } from '../layout.ts';
import type { NameIndex } from '../name-index.ts';
import { shardOf, trainingShard } from '../shard.ts';
import type { Entry } from '../store.ts';
import { attempt, type Findings } from './findings.ts';

/** An edge in one direction, and what the store has beside it. */
interface StoredEdge {
  readonly edge: EdgeChange;
  readonly value: Uint8Array;
  /** Value of the entry in the other direction; undefined where that entry is missing. */
  readonly other: Uint8Array | undefined;
  /** Whether the end that the key begins with is an entity of the store. */
  readonly hasEnd: boolean;
}

/** Every edge of a direction. Unreadable entries become findings. */
async function* storedEdges(
  { layout, entries }: GraphStore,
  direction: 'forward' | 'reverse',
  names: NameIndex,
  findings: Findings,
): AsyncIterable<StoredEdge> {
  const prefix = direction === 'forward' ? layout.prefixes.edges : layout.prefixes.reverse;
  for await (const batch of entries.runs(prefix)) {
    const edges = batch.flatMap(({ key, value }) => {
      const edge = readEdge(layout, { key, value });
      if (edge === undefined) findings.add('entry-damaged', `edge ${asBuffer(key).toString('hex')}`);
      return edge === undefined ? [] : [{ edge, key, value }];
    });
    const others = edges.map(({ key }) => layout.turned(key));
    const found = await entries.getMany(others);
    for (const [i, { edge, key, value }] of edges.entries())
      yield { edge, value, other: found[i], hasEnd: names.find(key, 1, layout.firstEnd(key)) >= 0 };
  }
}

/**
 * Checks that every live edge has its ends and that both directions agree. Of an edge that another shard trains, the far end has
 * no row. names: of the store's entities. Counts live edges by relation, and of these those whose lhs the shard
 * owns: all where the graph is whole. Memory: one batch.
 */
export async function checkEdges(
  store: GraphStore,
  names: NameIndex,
  findings: Findings,
  onProgress: (entries: number) => void,
  shard: Head['shard'],
): Promise<{ live: Counts; own: Counts; removed: number }> {
  const owns = (key: EntityKey) => shard === undefined || shardOf(key, shard.count) === shard.index;
  const trains = ({ lhs, rhs }: EdgeName) =>
    shard === undefined ||
    trainingShard(shardOf(lhs, shard.count), shardOf(rhs, shard.count), shard.count) === shard.index;
  const checkEnd = ({ edge, hasEnd }: StoredEdge, end: EntityKey) => {
    if (!edge.removed && !hasEnd && (owns(end) || trains(edge)))
      findings.add('end-missing', `${end} of ${nameOf(edge)}`);
  };
  const [live, own] = [new Tally(), new Tally()];
  let removed = 0;
  for await (const stored of storedEdges(store, 'forward', names, findings)) {
    const { edge, value, other } = stored;
    if (edge.removed) removed++;
    else live.add(edge.relation);
    if (!edge.removed && owns(edge.lhs)) own.add(edge.relation);
    if (!owns(edge.lhs) && !owns(edge.rhs)) findings.add('edge-strange', nameOf(edge));
    if (other === undefined) findings.add('reverse-missing', nameOf(edge));
    else if (Buffer.compare(value, other) !== 0) findings.add('reverse-differs', nameOf(edge));
    checkEnd(stored, edge.lhs);
    onProgress(1);
  }
  for await (const stored of storedEdges(store, 'reverse', names, findings)) {
    const { edge, other } = stored;
    if (other === undefined) findings.add('reverse-extra', nameOf(edge));
    checkEnd(stored, edge.rhs);
    onProgress(1);
  }
  return { live: live.counts, own: own.counts, removed };
}

function readEdge(layout: Layout, { key, value }: Entry): EdgeChange | undefined {
  const edge = attempt(() => ({ ...layout.edgeOf(key), ...layout.decodeEdge(value) }));
  return edge !== undefined && Number.isFinite(edge.at) && (value[8] ?? 2) < 2 ? edge : undefined;
}

function nameOf({ lhs, relation, rhs }: EdgeName): string {
  return `${lhs} ${relation} ${rhs}`;
}
