const FIRST_SLOTS = 16;

/**
 * A hash table from ids to numbers, both int32 and at least 0. Open addressing, at most three quarters full, outside V8's heap.
 * Rejected: Map, which takes 40 bytes an entry and no more than 16.7 million entries.
 */
export class IdMap {
  /** [slots, 2]: 1 + the id, or 0 for a free slot, and the id's number. */
  #slots = new Int32Array(2 * FIRST_SLOTS);
  #size = 0;

  get bytes(): number {
    return this.#slots.byteLength;
  }

  /** The id's number, or -1. */
  get(id: number): number {
    const slots = this.#slots;
    const last = slots.length - 2;
    for (let slot = placeOf(id) & last; ; slot = (slot + 2) & last) {
      const held = slots[slot]!;
      if (held === id + 1) return slots[slot + 1]!;
      if (held === 0) return -1;
    }
  }

  set(id: number, value: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let slot = placeOf(id) & last;
    while (slots[slot] !== 0 && slots[slot] !== id + 1) slot = (slot + 2) & last;
    slots[slot + 1] = value;
    if (slots[slot] !== 0) return;
    slots[slot] = id + 1;
    if (8 * ++this.#size > 3 * slots.length) this.#grow();
  }

  /** Removes an id, if it is there. The entries behind it move up, so that nothing marks a removed entry. */
  delete(id: number): void {
    const slots = this.#slots;
    const last = slots.length - 2;
    let gap = placeOf(id) & last;
    while (slots[gap] !== id + 1) {
      if (slots[gap] === 0) return;
      gap = (gap + 2) & last;
    }
    for (let slot = (gap + 2) & last; slots[slot] !== 0; slot = (slot + 2) & last) {
      const wished = placeOf(slots[slot]! - 1) & last;
      // An entry stays where the gap lies before the slot that it hashes to.
      if (((slot - wished) & last) < ((slot - gap) & last)) continue;
      slots[gap] = slots[slot]!;
      slots[gap + 1] = slots[slot + 1]!;
      gap = slot;
    }
    slots[gap] = 0;
    this.#size--;
  }

  #grow(): void {
    const before = this.#slots;
    const slots = new Int32Array(2 * before.length);
    const last = slots.length - 2;
    for (let from = 0; from < before.length; from += 2) {
      if (before[from] === 0) continue;
      let slot = placeOf(before[from]! - 1) & last;
      while (slots[slot] !== 0) slot = (slot + 2) & last;
      slots[slot] = before[from]!;
      slots[slot + 1] = before[from + 1]!;
    }
    this.#slots = slots;
  }
}

/** The slot that an id hashes to, before it is masked. */
function placeOf(id: number): number {
  const hash = Math.imul(id, 0x9e3779b1);
  return (hash ^ (hash >>> 15)) << 1;
}
