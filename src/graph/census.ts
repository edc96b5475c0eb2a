import { namesIn } from './entity-entries.ts';
import type { Head } from './head.ts';
import type { Layout } from './layout.ts';
import type { Entry } from './store.ts';

export type Counts = Readonly<Record<string, number>>;

/** What a store holds, in the terms in which its head counts it: entities by type, live edges by relation. */
export interface Counted {
  readonly entities: Counts;
  readonly edges: Counts;
}

/** A count in which a store differs from its head. */
export interface Difference {
  readonly what: 'entities' | 'live edges';
  /** The entity type or relation. */
  readonly name: string;
  readonly found: number;
  readonly counted: number;
}

/** Counts entries of a store, whichever it is given. */
export class Census {
  readonly #layout: Layout;
  readonly #entities = new Tally();
  readonly #edges = new Tally();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** @throws FatalError for an entity or an edge that the layout can't read. */
  add({ key, value }: Entry): void {
    const { prefixes, entityTypes, relations } = this.#layout;
    if (key[0] === prefixes.names[0])
      for (const { start } of namesIn(this.#layout, key, value))
        this.#entities.add(entityTypes[value[start]!]!);
    else if (key[0] === prefixes.edges[0] && !this.#layout.isRemoved(value))
      this.#edges.add(relations[this.#layout.relationIn(key)]!.name);
  }

  get counted(): Counted {
    return { entities: this.#entities.counts, edges: this.#edges.counts };
  }
}

/** Where a store differs from its head. */
export function differencesFrom(head: Head, { entities, edges }: Counted): Difference[] {
  return [...unequal('entities', head.entities, entities), ...unequal('live edges', head.edges, edges)];
}

/** The names whose counts differ. */
export function unequal(what: Difference['what'], head: Counts, there: Counts): Difference[] {
  return [...new Set([...Object.keys(head), ...Object.keys(there)])].flatMap((name) => {
    const [counted, found] = [head[name] ?? 0, there[name] ?? 0];
    return found === counted ? [] : [{ what, name, found, counted }];
  });
}

/** Such as `it holds 2 entities (user), and its head counts 3`. */
export function describeDifference({ what, name, found, counted }: Difference): string {
  return `it holds ${found} ${what} (${name}), and its head counts ${counted}`;
}

/** Counts by name. */
export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}
