const BLOCK_VECTORS = 4096;
const NONE = -1;

/** Vectors of some rows, in half precision: 2 bytes a number, in blocks, and 4 bytes for every row that may have one. */
export class VectorSlab {
  readonly #dim: number;
  readonly #slots: Int32Array;
  readonly #blocks: Float16Array[] = [];
  readonly #free: number[] = [];
  #used = 0;

  constructor(dim: number, maxRows: number) {
    this.#dim = dim;
    this.#slots = new Int32Array(maxRows).fill(NONE);
  }

  /** Whether a vector of the row is kept. */
  has(row: number): boolean {
    return this.#slots[row] !== NONE;
  }

  put(row: number, vector: Float32Array): void {
    const slot = this.#slots[row] === NONE ? this.#take(row) : this.#slots[row]!;
    this.#vector(slot).set(vector);
  }

  drop(row: number): void {
    const slot = this.#slots[row]!;
    if (slot === NONE) return;
    this.#slots[row] = NONE;
    this.#free.push(slot);
  }

  /** The distance between the row's kept vector and this one; undefined where none is kept. */
  distance(row: number, vector: Float32Array): number | undefined {
    const slot = this.#slots[row]!;
    if (slot === NONE) return undefined;
    const kept = this.#vector(slot);
    let squares = 0;
    for (let k = 0; k < vector.length; k++) {
      const difference = vector[k]! - kept[k]!;
      squares += difference * difference;
    }
    return Math.sqrt(squares);
  }

  #take(row: number): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#blocks.length * BLOCK_VECTORS)
      this.#blocks.push(new Float16Array(BLOCK_VECTORS * this.#dim));
    this.#slots[row] = slot;
    return slot;
  }

  #vector(slot: number): Float16Array {
    const from = (slot % BLOCK_VECTORS) * this.#dim;
    return this.#blocks[Math.floor(slot / BLOCK_VECTORS)]!.subarray(from, from + this.#dim);
  }
}
