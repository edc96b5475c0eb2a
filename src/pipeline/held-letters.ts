import type { Message, Offsets, SourceRecord } from './ports.ts';

/** Far more than a leader leaves between its last commit and its end. */
const MOST = 10_000;

/**
 * Dead letters of a standby. The leader writes them; those it did not live to write are written once the standby leads.
 * Bounded: the oldest go first, which the leader has long written.
 */
export class HeldLetters {
  #held: { readonly record: SourceRecord; readonly letter: Message }[] = [];

  add(record: SourceRecord, letter: Message): void {
    this.#held.push({ record, letter });
    if (this.#held.length > 2 * MOST) this.#held = this.#held.slice(-MOST);
  }

  /** Those of records that the group had not committed; forgets all. */
  after(committed: Offsets): Message[] {
    const held = this.#held;
    this.#held = [];
    return held
      .filter(({ record }) => record.offset >= (committed[record.topic]?.[record.partition] ?? 0))
      .map(({ letter }) => letter);
  }
}
