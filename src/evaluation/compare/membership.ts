import type { EdgeChange, EdgeName } from '../../graph/edge.ts';
import { compareKeys, type EntityKey } from '../../graph/entity.ts';
import type { EntityRecord } from '../../graph/graph-store.ts';
import type { Random } from '../../sampling/random.ts';
import {
  type CommonEntity,
  type ComparedStores,
  commonRelations,
  commonTypes,
  type OnProgress,
} from './compared-stores.ts';
import { Reservoir } from './reservoir.ts';

/** Names kept of things in only one store. */
const EXAMPLES = 3;
const PROGRESS_EVERY = 10_000;

/** How many things of a kind are in both stores, and in only one of them. */
export interface Membership {
  both: number;
  onlyA: number;
  onlyB: number;
  /** The first few things in only A, or in only B. */
  readonly examplesA: string[];
  readonly examplesB: string[];
}

function noMembers(): Membership {
  return { both: 0, onlyA: 0, onlyB: 0, examplesA: [], examplesB: [] };
}

/** Counts a thing. `nameOf` is called only for an example. */
function countMember(members: Membership, inA: boolean, inB: boolean, nameOf: () => string): void {
  if (inA && inB) {
    members.both++;
    return;
  }
  const examples = inA ? members.examplesA : members.examplesB;
  if (inA) members.onlyA++;
  else members.onlyB++;
  if (examples.length < EXAMPLES) examples.push(nameOf());
}

/** The comparison of the entities of a type. */
export interface EntityComparison extends Membership {
  /** Entities that are trained in both stores. */
  readonly trained: number;
  /** A random sample of these, in random order, so that its first n are a sample too. */
  readonly sample: readonly CommonEntity[];
}

/** Compares the entities of two stores by common types, in one pass over each. sample: sampled entities per type. */
export async function compareEntities(
  stores: ComparedStores,
  options: { sample: number; random: Random; onProgress: OnProgress },
): Promise<Map<string, EntityComparison>> {
  const found = new Map<string, EntityComparison>();
  let done = 0;
  for (const type of commonTypes(stores)) {
    const members = noMembers();
    const trained = new Reservoir<CommonEntity>(options.sample, options.random);
    const [as, bs] = [stores.a.store.entities(type), stores.b.store.entities(type)];
    for await (const { a, b } of mergeJoin(as, bs, byKey)) {
      countMember(members, a !== undefined, b !== undefined, () => (a ?? b)?.key ?? '');
      if (a && b && a.updates > 0 && b.updates > 0) {
        trained.offer({ key: a.key, rowA: a.row, rowB: b.row });
      }
      if (++done % PROGRESS_EVERY === 0) options.onProgress('entities', done);
    }
    found.set(type, { ...members, trained: trained.offered, sample: trained.shuffled() });
  }
  return found;
}

function byKey(x: EntityRecord, y: EntityRecord): number {
  return compareKeys(x.key, y.key);
}

/** The live edges out of one entity. */
interface OutEdges {
  readonly lhs: EntityKey;
  readonly edges: EdgeChange[];
}

/**
 * Compares the live edges of two stores by common relations, in one pass over each. Keeps the edges out of one entity in
 * memory, since their order differs between models. onEdge: called for each edge that is live in either store.
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

/** Groups live edges, which come ordered by lhs, by their lhs. */
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

/** Names an edge among those of one lhs. */
function nameIn({ relation, rhs }: EdgeName): string {
  return `${relation}\n${rhs}`;
}

/** Equal things of two ordered sequences, or a thing of only one of them. */
export interface Joined<T> {
  readonly a: T | undefined;
  readonly b: T | undefined;
}

/**
 * Walks two ascending sequences without duplicates side by side, and pairs equal things.
 * order: below 0 where `x` comes first, 0 where x and y are equal.
 */
export async function* mergeJoin<T>(
  as: AsyncIterable<T>,
  bs: AsyncIterable<T>,
  order: (x: T, y: T) => number,
): AsyncIterable<Joined<T>> {
  const [left, right] = [as[Symbol.asyncIterator](), bs[Symbol.asyncIterator]()];
  try {
    let [a, b] = [await next(left), await next(right)];
    while (a !== undefined || b !== undefined) {
      const ordered = a === undefined ? 1 : b === undefined ? -1 : order(a, b);
      yield { a: ordered <= 0 ? a : undefined, b: ordered >= 0 ? b : undefined };
      if (ordered <= 0) a = await next(left);
      if (ordered >= 0) b = await next(right);
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

async function next<T>(iterator: AsyncIterator<T>): Promise<T | undefined> {
  const result = await iterator.next();
  return result.done === true ? undefined : result.value;
}
