import type { EntityKey } from '../graph/entity.ts';
import { PagedNumbers } from '../graph/paged-numbers.ts';
import { EntityIds } from './entity-ids.ts';

/** When entities without a vector were active, outside V8's heap. All are forgotten in time, half of them at once, the older half. */
export class AwaitedEntities {
  readonly #most: () => number;
  #young = new Times();
  #old = new Times();
  /**
   * Newest activity of an entity that was forgotten, epoch ms; 0 while none was. An entity that is not found here may have been
   * active then: it is rather taken for active than for idle.
   */
  forgottenAt = 0;

  constructor(most: () => number) {
    this.#most = most;
  }

  active(entity: EntityKey, at: number): void {
    const known = this.take(entity) ?? 0;
    if (this.#young.size >= Math.ceil(this.#most() / 2)) {
      this.forgottenAt = Math.max(this.forgottenAt, this.#old.newest);
      this.#old = this.#young;
      this.#young = new Times();
    }
    this.#young.add(entity, Math.max(known, at));
  }

  /** When the entity was active; undefined where that is not known. It is awaited no more. */
  take(entity: EntityKey): number | undefined {
    return this.#young.take(entity) ?? this.#old.take(entity);
  }
}

class Times {
  readonly #ids = new EntityIds();
  /** By id. */
  readonly #at = new PagedNumbers((rows) => new Float64Array(rows));
  /** Newest of all that are held; 0 without any. */
  newest = 0;

  get size(): number {
    return this.#ids.size;
  }

  /** Adds an entity that it does not have. */
  add(entity: EntityKey, at: number): void {
    const id = this.#ids.hold(entity);
    this.#at.set(id, at);
    this.newest = Math.max(this.newest, at);
  }

  take(entity: EntityKey): number | undefined {
    const id = this.#ids.find(entity);
    if (id < 0) return undefined;
    this.#ids.release(id);
    // Nobody is left whose time could be forgotten.
    if (this.#ids.size === 0) this.newest = 0;
    return this.#at.get(id);
  }
}
