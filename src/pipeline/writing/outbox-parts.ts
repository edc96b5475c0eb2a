import type { EntityKey } from '../../graph/entity.ts';
import { inParts, type OutboxPart } from '../../graph/outbox.ts';

/** Stored names, beyond twice the number that wait, at which sparse parts are written again. */
const SPARE_NAMES = 16_000;

/** A stored part with the number of its names that are neither acknowledged nor in a later part. */
export interface OpenPart extends OutboxPart {
  open: number;
}

/** The stored parts of the outbox: which may be deleted, and how many names they hold. */
export class OutboxParts {
  /** Stored parts once the commit at hand is written. */
  stored: number;
  #next = 1;
  /** Oldest first. */
  readonly #open = new Set<OpenPart>();
  #cleared: OutboxPart[] = [];
  /** Names in the open parts. */
  #names = 0;

  /** loaded: the parts in the store. */
  constructor(loaded: readonly OutboxPart[] = []) {
    this.stored = loaded.length;
    for (const { number } of loaded) this.#next = Math.max(this.#next, number + 1);
  }

  /** Parts in which no name waits any more. */
  get cleared(): number {
    return this.#cleared.length;
  }

  /** Takes the cleared parts, for the commit at hand to delete. */
  takeCleared(): OutboxPart[] {
    const cleared = this.#cleared;
    this.#cleared = [];
    this.stored -= cleared.length;
    return cleared;
  }

  /** Makes new parts of these names, for the commit at hand to write. */
  add(names: readonly EntityKey[]): OpenPart[] {
    return Array.from(inParts(names), (slice) => {
      const part = { number: this.#next++, names: slice, open: slice.length };
      this.stored++;
      this.#keep(part);
      return part;
    });
  }

  /** Keeps a part that is stored already. */
  take({ number, names }: OutboxPart): OpenPart {
    const part = { number, names, open: names.length };
    this.#keep(part);
    return part;
  }

  /** Notes that a name of the part is acknowledged, or is in a later part. */
  release(part: OpenPart): void {
    if (--part.open > 0) return;
    this.#open.delete(part);
    this.#names -= part.names.length;
    this.#cleared.push(part);
  }

  /**
   * Sparse parts, oldest first, whose waiting names are to be put into a new part. One vector keeps a whole part of a
   * thousand names, and every commit adds parts while nothing is acknowledged. At most half the names of a sparse
   * part wait, so that names are written again no more often than they are released. waiting: all vectors that wait.
   */
  sparse(waiting: number): OpenPart[] {
    const sparse: OpenPart[] = [];
    let excess = this.#names - 2 * waiting - SPARE_NAMES;
    if (excess <= 0) return sparse;
    for (const part of this.#open) {
      if (2 * part.open > part.names.length) continue;
      sparse.push(part);
      excess -= part.names.length - part.open;
      if (excess <= 0) break;
    }
    return sparse;
  }

  #keep(part: OpenPart): void {
    this.#open.add(part);
    this.#names += part.names.length;
  }
}
