const BITS = 32;

/**
 * Which shards hold a copy of which own row, as leases: a bit for each row and shard that used its copy in this turn or in the turn
 * before. Nothing has to be given back: a lease that nobody renews ends by itself, one to two turns after the last use.
 */
export class Leases {
  readonly #shards: number;
  /** Numbers of 32 bits for a row. */
  readonly #words: number;
  #now: Uint32Array;
  #before: Uint32Array;

  constructor(maxRows: number, shards: number) {
    this.#shards = shards;
    this.#words = Math.ceil(shards / BITS);
    this.#now = new Uint32Array(maxRows * this.#words);
    this.#before = new Uint32Array(maxRows * this.#words);
  }

  has(row: number, shard: number): boolean {
    const word = this.#word(row, shard);
    return ((this.#now[word]! | this.#before[word]!) & (1 << (shard % BITS))) !== 0;
  }

  /** Notes that the shard uses its copy. Gives whether it had no lease. */
  renew(row: number, shard: number): boolean {
    const isNew = !this.has(row, shard);
    this.#now[this.#word(row, shard)]! |= 1 << (shard % BITS);
    return isNew;
  }

  /** Whether any shard holds a copy of the row. */
  any(row: number): boolean {
    const at = row * this.#words;
    for (let word = at; word < at + this.#words; word++)
      if ((this.#now[word]! | this.#before[word]!) !== 0) return true;
    return false;
  }

  /** The shards that hold a copy of the row, ascending. */
  *of(row: number): Iterable<number> {
    for (let shard = 0; shard < this.#shards; shard++) if (this.has(row, shard)) yield shard;
  }

  clear(row: number): void {
    const [from, to] = [row * this.#words, (row + 1) * this.#words];
    this.#now.fill(0, from, to);
    this.#before.fill(0, from, to);
  }

  /** Begins the next turn. ended: told of each row that no shard holds a copy of any more. */
  turn(ended: (row: number) => void): void {
    const [now, before] = [this.#now, this.#before];
    this.#now = before;
    this.#before = now;
    for (let at = 0; at < now.length; at += this.#words) {
      let [held, was] = [0, 0];
      for (let word = at; word < at + this.#words; word++) {
        held |= now[word]!;
        was |= before[word]!;
      }
      if (held === 0 && was !== 0) ended(at / this.#words);
    }
    before.fill(0);
  }

  #word(row: number, shard: number): number {
    return row * this.#words + Math.floor(shard / BITS);
  }
}
