/** A power of two, a few times the rows of a chunk: few enough that they stay in a processor's first cache. */
const BUCKETS = 1024;

/** Where each row occurs in a short list: chains through the list itself, one for each low part of a row's number. */
export class RowPlaces {
  /** [BUCKETS] 1 + the last place of a row that falls here; 0 where none does. */
  readonly #heads = new Int32Array(BUCKETS);
  /** [places] 1 + the place before in the same bucket; 0 at the first. */
  #before = new Int32Array(256);
  #rows: Int32Array = new Int32Array(0);

  /** Takes a list of `count` rows, duplicates allowed, in place of the one before. It is not copied. */
  fill(rows: Int32Array, count: number): void {
    this.#rows = rows;
    if (this.#before.length < count) this.#before = new Int32Array(2 * count);
    const [heads, before] = [this.#heads, this.#before];
    heads.fill(0);
    for (let place = 0; place < count; place++) {
      const bucket = rows[place]! & (BUCKETS - 1);
      before[place] = heads[bucket]!;
      heads[bucket] = place + 1;
    }
  }

  /** The last place of a row, or -1. */
  last(row: number): number {
    return this.#from(this.#heads[row & (BUCKETS - 1)]!, row);
  }

  /** The place of the same row before this one, or -1. */
  previous(place: number): number {
    return this.#from(this.#before[place]!, this.#rows[place]!);
  }

  #from(place: number, row: number): number {
    for (let k = place; k !== 0; k = this.#before[k - 1]!) if (this.#rows[k - 1] === row) return k - 1;
    return -1;
  }
}
