/** An event as the property test makes it; ids and times are few, so that events meet. */
export type Told =
  | {
      readonly kind: 'edge';
      readonly edges: readonly ToldEdge[];
      readonly at: number;
      readonly removed: boolean;
    }
  | { readonly kind: 'erase'; readonly entity: string; readonly at: number };

export type ToldEdge = readonly [lhs: string, relation: string, rhs: string];

interface KnownEdge {
  readonly edge: ToldEdge;
  readonly at: number;
  readonly removed: boolean;
}

/**
 * What a graph holds after events in an order, written as plainly as the rules read: the newest event about an edge
 * wins, a tie goes to the removal, the same event again is a duplicate. An erasure at T takes an entity's edges up to
 * T and keeps those of older events out from then on.
 */
export class SequentialModel {
  readonly events = { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
  readonly entities = new Set<string>();
  readonly #edges = new Map<string, KnownEdge>();
  readonly #erased = new Map<string, number>();

  tell(event: Told): void {
    this.events.consumed++;
    const verdicts =
      event.kind === 'erase'
        ? [this.#erase(event.entity, event.at)]
        : event.edges.map((edge) => this.#put({ edge, at: event.at, removed: event.removed }));
    if (verdicts.includes('counts')) return;
    this.events[verdicts.includes('duplicate') ? 'duplicate' : 'late']++;
  }

  /** Live edges, sorted. */
  live(): string[] {
    return this.#live()
      .map(({ edge }) => edge.join(' '))
      .sort();
  }

  /** Live edges by relation. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { edge } of this.#live()) counts[edge[1]] = (counts[edge[1]] ?? 0) + 1;
    return counts;
  }

  #live(): KnownEdge[] {
    return [...this.#edges.values()].filter(({ removed }) => !removed);
  }

  #put(told: KnownEdge): 'counts' | 'duplicate' | 'late' {
    const [lhs, , rhs] = told.edge;
    for (const end of [lhs, rhs]) if (told.at <= (this.#erased.get(end) ?? 0)) return 'late';
    const known = this.#edges.get(told.edge.join(' '));
    if (known && known.at === told.at && known.removed === told.removed) return 'duplicate';
    if (known && (known.at > told.at || (known.at === told.at && known.removed))) return 'late';
    this.#edges.set(told.edge.join(' '), told);
    if (!told.removed) for (const end of [lhs, rhs]) this.entities.add(end);
    return 'counts';
  }

  #erase(entity: string, at: number): 'counts' | 'duplicate' | 'late' {
    const known = this.#erased.get(entity) ?? 0;
    if (known >= at) return known === at ? 'duplicate' : 'late';
    this.#erased.set(entity, at);
    const touching = [...this.#edges].filter(([, { edge }]) => edge[0] === entity || edge[2] === entity);
    for (const [name, edge] of touching) if (edge.at <= at) this.#edges.delete(name);
    if (!touching.some(([, edge]) => edge.at > at && !edge.removed)) this.entities.delete(entity);
    return 'counts';
  }
}

/** Counts without those of nothing. */
export const positive = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
