import type { Head } from '../graph/head.ts';
import type { Layout } from '../graph/layout.ts';
import type { Entry } from '../graph/store.ts';

/** Counts what goes by in a pass over all entries: enough to see that it is what the head says. */
export class Census {
  readonly #layout: Layout;
  readonly #entities: number[];
  readonly #edges: number[];
  #outbox = 0;
  #outboxParts = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#entities = layout.entityTypes.map(() => 0);
    this.#edges = layout.relations.map(() => 0);
  }

  add({ key, value }: Entry): void {
    const { entities, edges, outboxNames, outboxParts } = this.#layout.prefixes;
    if (key[0] === entities[0]) this.#count(this.#entities, key[1]);
    else if (key[0] === outboxNames[0]) this.#outbox++;
    else if (key[0] === outboxParts[0]) {
      this.#outboxParts++;
      this.#outbox += this.#layout.decodeNames(value).length;
    }
    // The relation follows the first entity: see the layout. A removed edge is not counted.
    else if (key[0] === edges[0] && value[8] === 0) this.#count(this.#edges, key[4 + (key[2] ?? 0)]);
  }

  /** Where the head counts otherwise, a phrase each. */
  differences(head: Head): string[] {
    const of = (what: string, there: number, counted: number) =>
      there === counted ? [] : [`${there} ${what}, the head counts ${counted}`];
    return [
      ...this.#layout.entityTypes.flatMap((type, i) =>
        of(`entities of type ${type}`, this.#entities[i] ?? 0, head.entities[type] ?? 0),
      ),
      ...this.#layout.relations.flatMap(({ name }, i) =>
        of(`live ${name} edges`, this.#edges[i] ?? 0, head.edges[name] ?? 0),
      ),
      // There may be more: see the check.
      ...of('vectors to publish', Math.min(this.#outbox, head.outbox), head.outbox),
      ...of('parts of the outbox', Math.min(this.#outboxParts, head.outboxParts), head.outboxParts),
    ];
  }

  #count(counts: number[], index: number | undefined): void {
    if (index !== undefined && index < counts.length) counts[index] = (counts[index] ?? 0) + 1;
  }
}
