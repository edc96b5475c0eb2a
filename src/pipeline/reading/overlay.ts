import type { EdgeName, EdgeState } from '../../graph/edge.ts';

/** One text for an edge. Ids can't hold control characters, so the parts can't run into each other. */
export function edgeId(edge: EdgeName): string {
  return `${edge.lhs}\n${edge.relation}\n${edge.rhs}`;
}

interface Pending {
  readonly edge: EdgeName;
  /** null: forgotten whole by an erasure. */
  readonly state: EdgeState | null;
}

/** What one commit is to write. */
interface Generation {
  readonly commit: number;
  readonly entries: Map<string, Pending>;
}

/**
 * Edges that the store does not hold yet, laid over what it does. An entry stays until its commit is written AND the
 * next reads from the store begin: a value read before the commit would otherwise be taken for the newest.
 */
export class Overlay {
  /** The open commit's first, then those that are on their way, newest first. */
  readonly #generations: Generation[] = [{ commit: 1, entries: new Map() }];
  #open = this.#generations[0]!;
  #written = 0;

  /** Entries in all; an edge that several commits are to write counts for each. */
  get size(): number {
    return this.#generations.reduce((sum, { entries }) => sum + entries.size, 0);
  }

  /** undefined: ask the store. */
  get(id: string): EdgeState | null | undefined {
    for (const { entries } of this.#generations) {
      const pending = entries.get(id);
      if (pending !== undefined) return pending.state;
    }
    return undefined;
  }

  set(id: string, edge: EdgeName, state: EdgeState | null): void {
    this.#open.entries.set(id, { edge, state });
  }

  /** Entries that touch an entity, the newest of each edge. A walk over all: erasures are rare. */
  *of(entity: string): Iterable<{ id: string; edge: EdgeName; state: EdgeState | null }> {
    const seen = new Set<string>();
    for (const { entries } of this.#generations) {
      for (const [id, pending] of entries) {
        const touches = pending.edge.lhs === entity || pending.edge.rhs === entity;
        if (!touches || seen.has(id)) continue;
        seen.add(id);
        yield { id, ...pending };
      }
    }
  }

  /** Ends the open commit and returns its number; what is set from now on belongs to the next. */
  close(): number {
    const { commit } = this.#open;
    this.#open = { commit: commit + 1, entries: new Map() };
    this.#generations.unshift(this.#open);
    return commit;
  }

  written(commit: number): void {
    this.#written = commit;
  }

  /** Call right before reading from the store. */
  prune(): void {
    while (this.#generations.at(-1)!.commit <= this.#written) this.#generations.pop();
  }
}
