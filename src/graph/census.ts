import type { Head } from './head.ts';
import type { Layout } from './layout.ts';
import type { Entry } from './store.ts';

export type Counts = Readonly<Record<string, number>>;

/** What a store holds, in the terms in which its head counts it. */
export interface Counted {
  /** Entities by type, live edges by relation. */
  readonly entities: Counts;
  readonly edges: Counts;
  /** Names and parts of the outbox; absent where they were not counted. A name in two parts counts twice. */
  readonly outbox?: { readonly names: number; readonly parts: number };
}

/** A count in which a store differs from its head. */
export interface Difference {
  readonly what: 'entities' | 'live edges' | 'vectors to publish' | 'parts of the outbox';
  /** The entity type or relation; empty for the outbox. */
  readonly name: string;
  readonly found: number;
  readonly counted: number;
}

/** Counts entries of a store, whichever it is given. */
export class Census {
  readonly #layout: Layout;
  readonly #entities: number[];
  readonly #edges: number[];
  #names = 0;
  #parts = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#entities = layout.entityTypes.map(() => 0);
    this.#edges = layout.relations.map(() => 0);
  }

  /** @throws FatalError for an entity or an edge that the layout can't read. */
  add({ key, value }: Entry): void {
    const layout = this.#layout;
    const { entities, edges, outbox } = layout.prefixes;
    if (key[0] === entities[0]) {
      layout.checkEntityKey(key);
      this.#entities[key[1]!]!++;
    } else if (key[0] === edges[0]) {
      if (!layout.isRemoved(value)) this.#edges[layout.relationIn(key)]!++;
    } else if (key[0] === outbox[0]) {
      this.#parts++;
      this.#names += layout.decodeNames(value).length;
    }
  }

  get counted(): Counted & Required<Pick<Counted, 'outbox'>> {
    const { entityTypes, relations } = this.#layout;
    return {
      entities: Object.fromEntries(entityTypes.map((type, i) => [type, this.#entities[i] ?? 0])),
      edges: Object.fromEntries(relations.map(({ name }, i) => [name, this.#edges[i] ?? 0])),
      outbox: { names: this.#names, parts: this.#parts },
    };
  }
}

/**
 * Where a store differs from its head. More in the outbox than the head counts is no difference: parts also hold names that are
 * published already, and a standby counts only its own.
 */
export function differencesFrom(head: Head, { entities, edges, outbox }: Counted): Difference[] {
  const inOutbox = (what: Difference['what'], found: number, counted: number) =>
    found < counted ? [{ what, name: '', found, counted }] : [];
  return [
    ...unequal('entities', head.entities, entities),
    ...unequal('live edges', head.edges, edges),
    ...(outbox ? inOutbox('vectors to publish', outbox.names, head.outbox) : []),
    ...(outbox ? inOutbox('parts of the outbox', outbox.parts, head.outboxParts) : []),
  ];
}

/** The names whose counts differ. */
export function unequal<W extends Difference['what']>(what: W, head: Counts, there: Counts) {
  return [...new Set([...Object.keys(head), ...Object.keys(there)])].flatMap((name) => {
    const [counted, found] = [head[name] ?? 0, there[name] ?? 0];
    return found === counted ? [] : [{ what, name, found, counted }];
  });
}

/** Such as `it holds 2 entities (user), and its head counts 3`. */
export function describeDifference({ what, name, found, counted }: Difference): string {
  return `it holds ${found} ${what}${name && ` (${name})`}, and its head counts ${counted}`;
}

/** Counts by name. */
export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}
