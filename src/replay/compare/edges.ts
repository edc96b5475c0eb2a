import type { EdgeChange, EdgeName } from '../../graph/edge.ts';
import { compareKeys, type EntityKey } from '../../graph/entity.ts';
import { type ComparedStores, commonRelations, commonTypes, type OnProgress } from './compared-stores.ts';
import { countMember, type Membership, noMembers } from './membership.ts';
import { mergeJoin } from './merge-join.ts';

const PROGRESS_EVERY = 10_000;

/** The live edges out of one entity. */
interface OutEdges {
  readonly lhs: EntityKey;
  readonly edges: EdgeChange[];
}

/**
 * Compares the live edges of two stores by the relations they share: one pass over each. An entity's edges out are held
 * at a time, for their order is the models' own. onEdge: told of each edge that is live in either.
 */
export async function compareEdges(
  stores: ComparedStores,
  options: { onEdge: (edge: EdgeName) => void; onProgress: OnProgress },
): Promise<Map<string, Membership>> {
  const found = new Map(commonRelations(stores).map(({ name }) => [name, noMembers()]));
  let done = 0;
  const count = (edge: EdgeName, inA: boolean, inB: boolean) => {
    const members = found.get(edge.relation);
    if (members === undefined) return;
    countMember(members, inA, inB, () => `${edge.lhs} ${edge.relation} ${edge.rhs}`);
    options.onEdge(edge);
    if (++done % PROGRESS_EVERY === 0) options.onProgress('edges', done);
  };
  for (const type of commonTypes(stores)) {
    const [as, bs] = [outEdges(stores.a.store.edges(type)), outEdges(stores.b.store.edges(type))];
    for await (const { a, b } of mergeJoin(as, bs, (x, y) => compareKeys(x.lhs, y.lhs))) {
      const inB = new Map(b?.edges.map((edge) => [nameIn(edge), edge]));
      for (const edge of a?.edges ?? []) count(edge, true, inB.delete(nameIn(edge)));
      for (const edge of inB.values()) count(edge, false, true);
    }
  }
  return found;
}

/** Gathers edges by their lhs, by which they come ordered; removed ones are left out. */
async function* outEdges(edges: AsyncIterable<EdgeChange>): AsyncIterable<OutEdges> {
  let open: OutEdges | undefined;
  for await (const edge of edges) {
    if (edge.removed) continue;
    if (open?.lhs === edge.lhs) {
      open.edges.push(edge);
      continue;
    }
    if (open) yield open;
    open = { lhs: edge.lhs, edges: [edge] };
  }
  if (open) yield open;
}

/** Tells the edges of one lhs apart. */
function nameIn({ relation, rhs }: EdgeName): string {
  return `${relation}\n${rhs}`;
}
