import type { KnowledgeGraph, Triple } from './triples.ts';

/** Vectors of entities and of relations, both ways: [dim] each, by index. */
export interface Embeddings {
  readonly entities: readonly Float32Array[];
  /** By relation: added to a head to find tails, and added to a tail to find heads. */
  readonly toTail: readonly Float32Array[];
  readonly toHead: readonly Float32Array[];
}

/** Numbers added up before it is looked whether it is far enough already. */
const BLOCK = 16;

export interface Ranks {
  readonly mrr: number;
  readonly hits10: number;
}

/**
 * Filtered mean reciprocal rank and hits@10 of the test triples, both ends asked for, all entities as candidates, by
 * Euclidean distance. Known triples of all three parts are left out; ties count half.
 * Source of the protocol: Bordes et al. 2013, section 4.1.
 */
export function rankTest(
  graph: KnowledgeGraph,
  embeddings: Embeddings,
  progress: (done: number) => void,
): Ranks {
  const known = knownOf(graph);
  let [reciprocal, hits] = [0, 0];
  graph.test.forEach(([head, relation, tail], i) => {
    const tailAnchor = sum(embeddings.entities[head]!, embeddings.toTail[relation]!);
    const headAnchor = sum(embeddings.entities[tail]!, embeddings.toHead[relation]!);
    for (const rank of [
      rankOf(tail, tailAnchor, embeddings.entities, known.tails.get(keyOf(head, relation))),
      rankOf(head, headAnchor, embeddings.entities, known.heads.get(keyOf(tail, relation))),
    ]) {
      reciprocal += 1 / rank;
      hits += rank <= 10 ? 1 : 0;
    }
    progress(i + 1);
  });
  const asked = 2 * graph.test.length;
  return { mrr: reciprocal / asked, hits10: hits / asked };
}

/** Counts all that lie nearer, and takes back those that are known. */
function rankOf(
  answer: number,
  anchor: Float64Array,
  entities: readonly Float32Array[],
  known: ReadonlySet<number> | undefined,
): number {
  const bar = distance(anchor, entities[answer]!, Number.POSITIVE_INFINITY);
  const ahead = (entity: Float32Array) => {
    const far = distance(anchor, entity, bar);
    if (far > bar) return 0;
    return far < bar ? 1 : 0.5;
  };
  let rank = 1 - ahead(entities[answer]!);
  for (const entity of entities) rank += ahead(entity);
  for (const i of known ?? []) if (i !== answer) rank -= ahead(entities[i]!);
  return rank;
}

/** Squared, for the order is the same; once it is over `bar`, some number over it. */
function distance(anchor: Float64Array, entity: Float32Array, bar: number): number {
  let square = 0;
  for (let from = 0; from < anchor.length && square <= bar; from += BLOCK) {
    const to = Math.min(from + BLOCK, anchor.length);
    for (let k = from; k < to; k++) {
      const apart = anchor[k]! - entity[k]!;
      square += apart * apart;
    }
  }
  return square;
}

function sum(entity: Float32Array, relation: Float32Array): Float64Array {
  return Float64Array.from(entity, (value, k) => value + relation[k]!);
}

function knownOf({ train, valid, test }: KnowledgeGraph) {
  const [tails, heads] = [new Map<string, Set<number>>(), new Map<string, Set<number>>()];
  const put = (map: Map<string, Set<number>>, key: string, value: number) => {
    const set = map.get(key) ?? new Set();
    map.set(key, set.add(value));
  };
  for (const part of [train, valid, test]) {
    for (const [head, relation, tail] of part satisfies readonly Triple[]) {
      put(tails, keyOf(head, relation), tail);
      put(heads, keyOf(tail, relation), head);
    }
  }
  return { tails, heads };
}

function keyOf(entity: number, relation: number): string {
  return `${entity} ${relation}`;
}
