import type { EdgeName, EdgeState } from '../../graph/edge.ts';

/** One text for an edge. Ids can't hold control characters, so the parts can't run into each other. */
export function edgeId(edge: EdgeName): string {
  return `${edge.lhs}\n${edge.relation}\n${edge.rhs}`;
}

interface Pending {
  readonly edge: EdgeName;
  /** null: forgotten whole by an erasure. */
  readonly state: EdgeState | null;
  /** The commit that will write it. */
  readonly commit: number;
}

/**
 * Edges that the store does not hold yet, laid over what it does. An entry stays until its commit is written AND the
 * next reads from the store begin: a value read before the commit would otherwise be taken for the newest.
 */
export class Overlay {
  readonly #pending = new Map<string, Pending>();
  readonly #byCommit = new Map<number, string[]>();
  #open = 1;
  #written = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** undefined: ask the store. */
  get(id: string): EdgeState | null | undefined {
    return this.#pending.get(id)?.state;
  }

  set(id: string, edge: EdgeName, state: EdgeState | null): void {
    this.#pending.set(id, { edge, state, commit: this.#open });
    const ids = this.#byCommit.get(this.#open);
    if (ids) ids.push(id);
    else this.#byCommit.set(this.#open, [id]);
  }

  /** Entries that touch an entity. A walk over all: erasures are rare. */
  *of(entity: string): Iterable<{ id: string; edge: EdgeName; state: EdgeState | null }> {
    for (const [id, pending] of this.#pending) {
      if (pending.edge.lhs === entity || pending.edge.rhs === entity) yield { id, ...pending };
    }
  }

  /** Ends the open commit and returns its number; what is set from now on belongs to the next. */
  close(): number {
    return this.#open++;
  }

  written(commit: number): void {
    this.#written = commit;
  }

  /** Call right before reading from the store. */
  prune(): void {
    for (const [commit, ids] of this.#byCommit) {
      if (commit > this.#written) continue;
      for (const id of ids) {
        if ((this.#pending.get(id)?.commit ?? Number.POSITIVE_INFINITY) <= this.#written)
          this.#pending.delete(id);
      }
      this.#byCommit.delete(commit);
    }
  }
}
