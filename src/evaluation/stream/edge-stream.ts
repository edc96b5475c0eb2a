import { type EdgeChange, type GraphChange, judge, type Relation } from '../../graph/edge.ts';
import { type EntityKey, typeOf } from '../../graph/entity.ts';

/** Numbers below this, times each other, stay exact in a double. */
const MOST_ENTITIES = 2 ** 26;
const FIRST_EVENTS = 1024;

/** Events as the trainer sees them: news only, in the order of a replay. Some 40 bytes an event, and the names once. */
export class EdgeStream {
  readonly relations: readonly Relation[];
  /** Entities by number, in the order in which the stream names them. */
  readonly entities: EntityKey[] = [];
  /** Entities that an event of the stream erases. */
  readonly erased = new Set<EntityKey>();
  readonly #numbers = new Map<EntityKey, number>();
  readonly #relationNumbers: ReadonlyMap<string, number>;
  /** By relation: the number of the last event of each edge, by lhs · 2^26 + rhs. */
  readonly #last: readonly Map<number, number>[];
  #lhs = new Int32Array(FIRST_EVENTS);
  #rhs = new Int32Array(FIRST_EVENTS);
  #relation = new Uint8Array(FIRST_EVENTS);
  #at = new Float64Array(FIRST_EVENTS);
  /** 1: the event removes the edge. */
  #removes = new Uint8Array(FIRST_EVENTS);
  #length = 0;
  #learned = 0;

  constructor(relations: readonly Relation[]) {
    this.relations = relations;
    this.#relationNumbers = new Map(relations.map(({ name }, i) => [name, i]));
    this.#last = relations.map(() => new Map());
  }

  /** The number of events. */
  get length(): number {
    return this.#length;
  }

  /** The number of events that are learned: all but removals. */
  get learned(): number {
    return this.#learned;
  }

  /** Names of the relations of which no event came. */
  get withoutEdges(): string[] {
    return this.relations.filter((_, i) => this.#last[i]?.size === 0).map(({ name }) => name);
  }

  /** Takes what the next record says. Changes of other relations, duplicates and late events are no news. */
  add(changes: readonly GraphChange[]): void {
    for (const change of changes) {
      if ('erased' in change) this.erased.add(change.erased);
      else this.#addEdge(change);
    }
  }

  lhs(event: number): number {
    return this.#lhs[event]!;
  }

  rhs(event: number): number {
    return this.#rhs[event]!;
  }

  relation(event: number): number {
    return this.#relation[event]!;
  }

  /** Time of the event, epoch ms. */
  at(event: number): number {
    return this.#at[event]!;
  }

  removes(event: number): boolean {
    return this.#removes[event] === 1;
  }

  /** The number of an entity, or undefined. */
  find(entity: EntityKey): number | undefined {
    return this.#numbers.get(entity);
  }

  typeOf(entity: number): string {
    return typeOf(this.entities[entity]!);
  }

  #addEdge(change: EdgeChange): void {
    const relation = this.#relationNumbers.get(change.relation);
    if (relation === undefined) return;
    const lhs = this.#number(change.lhs);
    const rhs = this.#number(change.rhs);
    const last = this.#last[relation]!;
    const name = lhs * MOST_ENTITIES + rhs;
    const event = last.get(name);
    const known = event === undefined ? undefined : { at: this.#at[event]!, removed: this.removes(event) };
    const verdict = judge(known, change);
    if (verdict === 'duplicate' || verdict === 'late') return;
    last.set(name, this.#length);
    if (this.#length === this.#lhs.length) this.#grow();
    this.#lhs[this.#length] = lhs;
    this.#rhs[this.#length] = rhs;
    this.#relation[this.#length] = relation;
    this.#at[this.#length] = change.at;
    this.#removes[this.#length] = change.removed ? 1 : 0;
    this.#length++;
    if (!change.removed) this.#learned++;
  }

  #number(entity: EntityKey): number {
    const known = this.#numbers.get(entity);
    if (known !== undefined) return known;
    const number = this.entities.length;
    this.entities.push(entity);
    this.#numbers.set(entity, number);
    return number;
  }

  #grow(): void {
    const length = 2 * this.#length;
    this.#lhs = grown(this.#lhs, new Int32Array(length));
    this.#rhs = grown(this.#rhs, new Int32Array(length));
    this.#relation = grown(this.#relation, new Uint8Array(length));
    this.#at = grown(this.#at, new Float64Array(length));
    this.#removes = grown(this.#removes, new Uint8Array(length));
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
