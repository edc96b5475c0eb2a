import type { EntityKey } from '../graph/entity.ts';

/** Sources of one target that are remembered. */
const MOST_OF_ONE = 100;

/**
 * Where the newest edges to a target come from, such as who searched a query of late. Bounded: of one target the sources
 * heard of first are forgotten first, of all those of the target that was quiet the longest.
 */
export class RecentSources {
  readonly #most: number;
  /** By target, the one heard of last at the end: its sources in the same order, and when their newest edge was. */
  readonly #sources = new Map<EntityKey, Map<EntityKey, number>>();
  #size = 0;

  /** most: sources of all targets. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Sources remembered, of all targets. */
  get size(): number {
    return this.#size;
  }

  /** The sources of a target and when their newest edge was, those heard of last at the end. */
  of(target: EntityKey): ReadonlyMap<EntityKey, number> {
    return this.#sources.get(target) ?? new Map();
  }

  add(target: EntityKey, source: EntityKey, at: number): void {
    const sources = this.#sources.get(target) ?? new Map<EntityKey, number>();
    this.#sources.delete(target);
    this.#sources.set(target, sources);
    if (!sources.delete(source)) this.#size++;
    sources.set(source, at);
    if (sources.size > MOST_OF_ONE) {
      for (const first of sources.keys()) {
        this.delete(target, first);
        break;
      }
    }
    for (const [first, { size }] of this.#sources) {
      if (this.#size <= this.#most) return;
      this.#sources.delete(first);
      this.#size -= size;
    }
  }

  delete(target: EntityKey, source: EntityKey): void {
    const sources = this.#sources.get(target);
    if (sources?.delete(source) !== true) return;
    this.#size--;
    if (sources.size === 0) this.#sources.delete(target);
  }
}
