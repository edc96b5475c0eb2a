import type { EdgeName } from '../../graph/edge.ts';
import type { EntityKey } from '../../graph/entity.ts';

/** Which end of an edge is looked for. */
export type End = 'lhs' | 'rhs';

/**
 * What has to be known of a graph's edges to rank held-back ones: which candidates are positives themselves, and how
 * many edges each candidate has. Told of every edge once, it keeps those of the candidates asked about and no others.
 */
export class KnownEdges {
  readonly #candidates: ReadonlySet<EntityKey>;
  /** Positives among the candidates by {@link questionOf}, one entry for each question that will be asked. */
  readonly #positives = new Map<string, Set<EntityKey>>();
  /** By {@link degreeName}, for candidates and for what is looked for. */
  readonly #degrees = new Map<string, number>();
  readonly #counted: ReadonlySet<EntityKey>;

  /** held: the edges to be ranked, positives of one another; candidates: what they are ranked against. */
  constructor(held: readonly EdgeName[], candidates: Iterable<EntityKey>) {
    this.#candidates = new Set(candidates);
    this.#counted = new Set([...this.#candidates, ...held.flatMap(({ lhs, rhs }) => [lhs, rhs])]);
    for (const edge of held) {
      this.#positives.set(questionOf('lhs', edge), new Set());
      this.#positives.set(questionOf('rhs', edge), new Set());
    }
    for (const edge of held) this.#putPositives(edge);
  }

  /** Tells of an edge that is live in a store. */
  saw(edge: EdgeName): void {
    this.#putPositives(edge);
    for (const end of ['lhs', 'rhs'] as const) {
      if (!this.#counted.has(edge[end])) continue;
      const name = degreeName(end, edge.relation, edge[end]);
      this.#degrees.set(name, (this.#degrees.get(name) ?? 0) + 1);
    }
  }

  /** Candidates that are no negatives where `end` of the edge is looked for; what is looked for itself is one. */
  positives(end: End, edge: EdgeName): ReadonlySet<EntityKey> {
    return this.#positives.get(questionOf(end, edge)) ?? new Set();
  }

  /** Live edges of the relation with the entity at that end. */
  degree(end: End, relation: string, entity: EntityKey): number {
    return this.#degrees.get(degreeName(end, relation, entity)) ?? 0;
  }

  #putPositives(edge: EdgeName): void {
    for (const end of ['lhs', 'rhs'] as const) {
      if (this.#candidates.has(edge[end])) this.#positives.get(questionOf(end, edge))?.add(edge[end]);
    }
  }
}

/** `? follows user:2` where lhs is looked for. */
function questionOf(end: End, { lhs, relation, rhs }: EdgeName): string {
  return end === 'lhs' ? `\n${relation}\n${rhs}` : `${lhs}\n${relation}\n`;
}

function degreeName(end: End, relation: string, entity: EntityKey): string {
  return `${end}\n${relation}\n${entity}`;
}
