import type { Random } from './random.ts';
import type { TypeRows } from './type-rows.ts';

/**
 * Uniform rows of each type, of which a batch's uniform negatives are drawn: a row drawn at all is drawn several times in
 * the batch. Each row is a negative as often as without it, in fewer batches; so fewer rows move in one, and a commit,
 * which writes every row that moved, is smaller. A place of the pool is filled when it is first drawn: a batch that
 * draws little draws as if there were none.
 */
export class NegativePool {
  readonly #rows: TypeRows;
  readonly #places: number;
  /** By type, [places] row in each place, good where `#filled` says so. */
  readonly #pools: Int32Array[] = [];
  /** By type, [places] the batch a place was filled in. */
  readonly #filled: Uint32Array[] = [];
  /** Places start as filled in batch 0, which never is. */
  #batch = 1;

  /** places: rows of a type in a batch's pool; 0: every row is drawn from all of its type. */
  constructor(rows: TypeRows, places: number) {
    this.#rows = rows;
    this.#places = places;
  }

  /** Empties it for the next batch. Call it before the first draw of each: rows dropped since might still be in it. */
  renew(): void {
    this.#batch++;
  }

  /** A row of the type, each equally likely over many batches. The type must have one. */
  draw(type: number, random: Random): number {
    if (this.#rows.count(type) <= this.#places || this.#places === 0) return this.#rows.draw(type, random);
    this.#pools[type] ??= new Int32Array(this.#places);
    this.#filled[type] ??= new Uint32Array(this.#places);
    const place = random.below(this.#places);
    const pool = this.#pools[type];
    const filled = this.#filled[type];
    if (filled[place] !== this.#batch) {
      filled[place] = this.#batch;
      pool[place] = this.#rows.draw(type, random);
    }
    return pool[place]!;
  }
}
