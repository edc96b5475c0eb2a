import type { EntityIds } from '../entity-ids.ts';

/** The entities that were erased, by id, and whether they are back. Bounded: the erasure heard of first is forgotten first. */
export class Erasures {
  readonly #ids: EntityIds;
  readonly #most: number;
  readonly #changed: (entity: number) => void;
  /** When an entity was erased, and when an edge of it was added last, as far as that is known. */
  readonly #erased = new Map<number, { readonly at: number; namedAt: number }>();

  /** changed: told of each entity whose vectors `hides` may judge otherwise from now on. */
  constructor(ids: EntityIds, most: number, changed: (entity: number) => void) {
    this.#ids = ids;
    this.#most = most;
    this.#changed = changed;
  }

  get some(): boolean {
    return this.#erased.size > 0;
  }

  /** Whether the entity was erased at that time or later. */
  cover(entity: number, at: number): boolean {
    const erased = this.some ? this.#erased.get(entity) : undefined;
    return erased !== undefined && at <= erased.at;
  }

  /** See `Activity.hidesVector`. */
  hides(entity: number, vectorAt: number): boolean {
    const erased = this.#erased.get(entity);
    return erased !== undefined && (vectorAt <= erased.at || erased.namedAt <= erased.at);
  }

  /** An edge was added at that time, of an entity that may have been erased before. */
  named(entity: number, at: number): void {
    const erased = this.#erased.get(entity);
    if (erased === undefined || at <= erased.namedAt) return;
    const isBack = erased.namedAt > erased.at;
    erased.namedAt = at;
    if (!isBack) this.#changed(entity);
  }

  /** namedAt: when an edge of the entity was added last, as far as that is known. */
  add(entity: number, at: number, namedAt: number): void {
    const before = this.#erased.get(entity);
    if (before === undefined) this.#ids.holdAgain(entity);
    this.#erased.delete(entity);
    this.#erased.set(entity, {
      at,
      namedAt: Math.max(before?.namedAt ?? Number.NEGATIVE_INFINITY, namedAt),
    });
    for (const first of this.#erased.keys()) {
      if (this.#erased.size <= this.#most) break;
      this.#erased.delete(first);
      this.#ids.release(first);
    }
    this.#changed(entity);
  }
}
