import type { EdgeName } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';

/** The end of an edge that is ranked. */
export type End = 'lhs' | 'rhs';

/**
 * What the ranking of held-back edges needs of a graph's edges: the candidates that are positives themselves, and the
 * number of edges of each candidate. It sees every edge once, and remembers only what concerns the candidates.
 */
export class KnownEdges {
  readonly #candidates: ReadonlySet<EntityKey>;
  /** By {@link questionOf}: the candidates that are positives, for each question that will be asked. */
  readonly #positives = new Map<string, Set<EntityKey>>();
  /** By {@link degreeName}: edges of candidates and of ends of held-back edges. */
  readonly #degrees = new Map<string, number>();
  readonly #counted: ReadonlySet<EntityKey>;

  /** held: the edges to rank, which are positives too; candidates: the entities to rank against. */
  constructor(held: readonly EdgeName[], candidates: Iterable<EntityKey>) {
    this.#candidates = new Set(candidates);
    this.#counted = new Set([...this.#candidates, ...held.flatMap(({ lhs, rhs }) => [lhs, rhs])]);
    for (const edge of held) {
      this.#positives.set(questionOf('lhs', edge), new Set());
      this.#positives.set(questionOf('rhs', edge), new Set());
    }
    for (const edge of held) this.#putPositives(edge);
  }

  /** Notes an edge that is live in a store. */
  saw(edge: EdgeName): void {
    this.#putPositives(edge);
    for (const end of ['lhs', 'rhs'] as const) {
      if (!this.#counted.has(edge[end])) continue;
      const name = degreeName(end, edge.relation, edge[end]);
      this.#degrees.set(name, (this.#degrees.get(name) ?? 0) + 1);
    }
  }

  /** The candidates that are positives for `end` of the edge, the edge's own end included. */
  positives(end: End, edge: EdgeName): ReadonlySet<EntityKey> {
    return this.#positives.get(questionOf(end, edge)) ?? new Set();
  }

  /** The number of live edges of the relation with the entity at `end`. */
  degree(end: End, relation: string, entity: EntityKey): number {
    return this.#degrees.get(degreeName(end, relation, entity)) ?? 0;
  }

  #putPositives(edge: EdgeName): void {
    for (const end of ['lhs', 'rhs'] as const) {
      if (this.#candidates.has(edge[end])) this.#positives.get(questionOf(end, edge))?.add(edge[end]);
    }
  }
}

/** Names a question such as `? follows user:2`, which asks for lhs. */
function questionOf(end: End, { lhs, relation, rhs }: EdgeName): string {
  return end === 'lhs' ? `\n${relation}\n${rhs}` : `${lhs}\n${relation}\n`;
}

function degreeName(end: End, relation: string, entity: EntityKey): string {
  return `${end}\n${relation}\n${entity}`;
}
