const BITS = 32;

/** Which shards hold a copy of which row: a bit for each row and shard. */
export class Holders {
  readonly #shards: number;
  /** Numbers of 32 bits for a row. */
  readonly #words: number;
  readonly #bits: Uint32Array;

  constructor(maxRows: number, shards: number) {
    this.#shards = shards;
    this.#words = Math.ceil(shards / BITS);
    this.#bits = new Uint32Array(maxRows * this.#words);
  }

  has(row: number, shard: number): boolean {
    return (this.#bits[this.#word(row, shard)]! & (1 << (shard % BITS))) !== 0;
  }

  add(row: number, shard: number): void {
    this.#bits[this.#word(row, shard)]! |= 1 << (shard % BITS);
  }

  remove(row: number, shard: number): void {
    this.#bits[this.#word(row, shard)]! &= ~(1 << (shard % BITS));
  }

  clear(row: number): void {
    this.#bits.fill(0, row * this.#words, (row + 1) * this.#words);
  }

  /** Whether any shard holds a copy of the row. */
  any(row: number): boolean {
    const at = row * this.#words;
    for (let word = 0; word < this.#words; word++) if (this.#bits[at + word] !== 0) return true;
    return false;
  }

  /** The shards that hold a copy of the row, ascending. */
  *of(row: number): Iterable<number> {
    for (let shard = 0; shard < this.#shards; shard++) if (this.has(row, shard)) yield shard;
  }

  #word(row: number, shard: number): number {
    return row * this.#words + Math.floor(shard / BITS);
  }
}
