import type { EntityKey } from '../../graph/entity.ts';
import { inParts, type NumberedPart, type OutboxPart } from '../../graph/outbox.ts';

/** Names stored beyond twice what waits before parts are written again. */
const SPARE_NAMES = 16_000;

/** A stored part, and how many of its names are neither acknowledged nor in a later part. */
export interface OpenPart extends OutboxPart {
  open: number;
}

/** Which parts of the outbox are stored, which of them may go, and how many names they hold. */
export class OutboxParts {
  /** Entries in the store once the commit at hand is written. */
  stored: number;
  #next = 1;
  /** Oldest first. */
  readonly #open = new Set<OpenPart>();
  #cleared: OutboxPart[] = [];
  /** In the open ones. */
  #names = 0;

  /** loaded: what the store holds. */
  constructor(loaded: readonly OutboxPart[] = []) {
    const numbers = loaded.flatMap(({ number }) => (number === undefined ? [] : [number]));
    this.stored = numbers.length;
    for (const number of numbers) this.#next = Math.max(this.#next, number + 1);
  }

  /** Parts that no name keeps any longer. */
  get cleared(): number {
    return this.#cleared.length;
  }

  /** The same, for the commit at hand to delete. */
  takeCleared(): OutboxPart[] {
    const cleared = this.#cleared;
    this.#cleared = [];
    for (const { number } of cleared) if (number !== undefined) this.stored--;
    return cleared;
  }

  /** New parts of these names, for the commit at hand to put. */
  add(names: readonly EntityKey[]): (OpenPart & NumberedPart)[] {
    return Array.from(inParts(names), (slice) => {
      const part = { number: this.#next++, names: slice, open: slice.length };
      this.stored++;
      this.#keep(part);
      return part;
    });
  }

  /** A part that is stored already. */
  take({ number, names }: OutboxPart): OpenPart {
    const part = { number, names, open: names.length };
    this.#keep(part);
    return part;
  }

  /** One of its names is acknowledged, or in a later part. */
  release(part: OpenPart): void {
    if (--part.open > 0) return;
    this.#open.delete(part);
    this.#names -= part.names.length;
    this.#cleared.push(part);
  }

  /**
   * Parts, oldest first, whose names that still wait are to be put into a new one: each can be kept by one vector out of
   * a thousand, and while nothing is acknowledged every commit adds others. At most half of such a part waits, so that
   * names are not written again more often than they are released. waiting: vectors that wait in all.
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
