import { type EdgeChange, type GraphChange, judge, type Relation } from '../../graph/edge.ts';
import { type EntityKey, typeOf } from '../../graph/entity.ts';

/** Numbers below this, times each other, stay exact in a double. */
const MOST_ENTITIES = 2 ** 26;

/** Events as the trainer sees them: news only, in the order of a replay. Some 40 bytes an event, and the names once. */
export class EdgeStream {
  readonly relations: readonly Relation[];
  /** Entities by number, in the order in which the stream names them. */
  readonly entities: EntityKey[] = [];
  /** Entities that an event of the stream erases. */
  readonly erased = new Set<EntityKey>();
  /** By event: both ends by number, the relation by index, the time in epoch ms, and whether the event removes the edge. */
  readonly lhs: number[] = [];
  readonly rhs: number[] = [];
  readonly relation: number[] = [];
  readonly at: number[] = [];
  readonly removes: boolean[] = [];
  readonly #numbers = new Map<EntityKey, number>();
  readonly #relationNumbers: ReadonlyMap<string, number>;
  /** By relation: the number of the last event of each edge, by lhs · 2^26 + rhs. */
  readonly #last: readonly Map<number, number>[];
  #learned = 0;

  constructor(relations: readonly Relation[]) {
    this.relations = relations;
    this.#relationNumbers = new Map(relations.map(({ name }, i) => [name, i]));
    this.#last = relations.map(() => new Map());
  }

  get length(): number {
    return this.lhs.length;
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
    const [lhs, rhs] = [this.#number(change.lhs), this.#number(change.rhs)];
    const last = this.#last[relation]!;
    const name = lhs * MOST_ENTITIES + rhs;
    const event = last.get(name);
    const known = event === undefined ? undefined : { at: this.at[event]!, removed: this.removes[event]! };
    const verdict = judge(known, change);
    if (verdict === 'duplicate' || verdict === 'late') return;
    last.set(name, this.length);
    this.lhs.push(lhs);
    this.rhs.push(rhs);
    this.relation.push(relation);
    this.at.push(change.at);
    this.removes.push(change.removed);
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
}
