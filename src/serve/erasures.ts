import type { Erasure } from '../graph/edge.ts';
import type { EntityKey } from '../graph/entity.ts';
import { keepNewest } from './keep-newest.ts';

/** When an entity was erased, and when an edge of it was added last, as far as that is known. */
interface Erased {
  readonly at: number;
  namedAt: number;
}

/** Which entities were erased, and whether they are back. Bounded: those heard of first are forgotten first. */
export class Erasures {
  readonly #most: number;
  readonly #changed: (entity: EntityKey) => void;
  readonly #erased = new Map<EntityKey, Erased>();

  /** changed: told of each entity whose vectors `hides` may judge otherwise from now on. */
  constructor(most: number, changed: (entity: EntityKey) => void) {
    this.#most = most;
    this.#changed = changed;
  }

  get some(): boolean {
    return this.#erased.size > 0;
  }

  /** Whether the entity was erased at that time or later. */
  cover(entity: EntityKey, at: number): boolean {
    const erased = this.#erased.get(entity);
    return erased !== undefined && at <= erased.at;
  }

  /** See `Activity.hidesVector`. */
  hides(entity: EntityKey, vectorAt: number): boolean {
    const erased = this.some ? this.#erased.get(entity) : undefined;
    return erased !== undefined && (vectorAt <= erased.at || erased.namedAt <= erased.at);
  }

  /** An edge was added at that time, of an entity that may have been erased before. */
  named(entity: EntityKey, at: number): void {
    const erased = this.#erased.get(entity);
    if (erased === undefined || at <= erased.namedAt) return;
    const isBack = erased.namedAt > erased.at;
    erased.namedAt = at;
    if (!isBack) this.#changed(entity);
  }

  /** namedAt: when an edge of the entity was added last, as far as that is known. */
  add({ erased, at }: Erasure, namedAt: number): void {
    const before = this.#erased.get(erased)?.namedAt ?? Number.NEGATIVE_INFINITY;
    this.#erased.delete(erased);
    this.#erased.set(erased, { at, namedAt: Math.max(before, namedAt) });
    keepNewest(this.#erased, this.#most);
    this.#changed(erased);
  }
}
