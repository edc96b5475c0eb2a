import { ShapeError } from '../errors/errors.ts';

/** Centroids of each part: a code is one byte. */
export const CENTROIDS = 256;
/** Iterations of k-means at most; it ends early where no vector changes its centroid. */
const ITERATIONS = 12;
/** Centroids compared at a time: the sums of one would wait for each other. */
const TOGETHER = 4;

/** How a vector is cut: into `parts` sub-vectors of `dim / parts` numbers. */
export interface Cut {
  readonly dim: number;
  readonly parts: number;
}

export interface QuantiserTraining {
  /** A whole number uniform in 0 … n - 1. */
  below(n: number): number;
  /** Awaited before each iteration, with the share of the work that is done; what it throws ends the training. */
  turn(share: number): Promise<void>;
}

/** Part counts that divide a dim, ascending. */
export function partsOf(dim: number): number[] {
  return Array.from({ length: dim }, (_, i) => i + 1).filter((parts) => dim % parts === 0);
}

/**
 * Product quantisation: a vector is cut into parts, and each part is replaced by the number of the nearest of its 256
 * centroids, one byte.
 * Source: Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor search".
 */
export class ProductQuantiser {
  readonly cut: Cut;
  /** [parts, CENTROIDS, dim / parts], row-major. */
  readonly codebooks: Float32Array;
  readonly #width: number;
  readonly #searches: readonly CentroidSearch[];

  /** @throws ShapeError where the parts don't divide dim, or the codebooks have another length. */
  constructor(cut: Cut, codebooks: Float32Array) {
    this.cut = cut;
    this.codebooks = codebooks;
    this.#width = widthOf(cut);
    if (codebooks.length !== CENTROIDS * cut.dim)
      throw new ShapeError(`codebooks of ${codebooks.length} numbers; expected ${CENTROIDS * cut.dim}`);
    this.#searches = Array.from(
      { length: cut.parts },
      (_, part) => new CentroidSearch(bookOf(codebooks, part, this.#width), this.#width),
    );
  }

  /**
   * Finds centroids by k-means on a sample. A sample of at most 256 vectors is its own centroids; the rest of each codebook
   * is zeros then.
   * sample: [n, dim], row-major. @throws ShapeError where the parts don't divide dim, or a vector of the sample is cut short.
   */
  static async train(sample: Float32Array, cut: Cut, training: QuantiserTraining): Promise<ProductQuantiser> {
    const { dim, parts } = cut;
    const width = widthOf(cut);
    const vectors = countOf(sample, dim);
    const codebooks = new Float32Array(CENTROIDS * dim);
    for (let part = 0; part < parts; part++) {
      await kMeans(
        { values: sample, vectors, first: part * width, stride: dim, width },
        bookOf(codebooks, part, width),
        {
          below: (n) => training.below(n),
          turn: (share) => training.turn((part + share) / parts),
        },
      );
    }
    return new ProductQuantiser(cut, codebooks);
  }

  /**
   * The nearest centroid of each part, by squared distance; of equal ones the first.
   * vectors: [n, dim]; codes: [n, parts], overwritten; both row-major. @throws ShapeError when lengths disagree.
   */
  encode(vectors: Float32Array, codes: Uint8Array): void {
    const { dim, parts } = this.cut;
    const n = countOf(vectors, dim);
    if (codes.length !== n * parts) throw new ShapeError(`${codes.length} codes; expected ${n * parts}`);
    for (const [part, search] of this.#searches.entries()) {
      const slices = {
        values: vectors,
        vectors: n,
        first: part * this.#width,
        stride: dim,
        width: this.#width,
      };
      search.nearest(slices, codes, part, parts);
    }
  }

  /**
   * What the codes stand for: each code's centroid, one part after the other.
   * codes: [n, parts]; vectors: [n, dim], overwritten; both row-major. @throws ShapeError when lengths disagree.
   */
  decode(codes: Uint8Array, vectors: Float32Array): void {
    const { dim, parts } = this.cut;
    const width = this.#width;
    const n = countOf(vectors, dim);
    if (codes.length !== n * parts) throw new ShapeError(`${codes.length} codes; expected ${n * parts}`);
    for (let i = 0; i < codes.length; i++) {
      const from = ((i % parts) * CENTROIDS + codes[i]!) * width;
      vectors.set(this.codebooks.subarray(from, from + width), i * width);
    }
  }
}

/** One part of each of some vectors: `width` numbers from `first + i * stride` on. */
interface Slices {
  readonly values: Float32Array;
  readonly vectors: number;
  readonly first: number;
  readonly stride: number;
  readonly width: number;
}

/** Finds nearest centroids: the smallest |x - c|² is the largest x·c - |c|² / 2, and needs one multiplication a number. */
class CentroidSearch {
  readonly #centroids: Float64Array;
  /** [CENTROIDS] -|c|² / 2. */
  readonly #offsets: Float64Array;

  constructor(book: Float32Array, width: number) {
    this.#centroids = Float64Array.from(book);
    this.#offsets = Float64Array.from({ length: CENTROIDS }, (_, c) => {
      let square = 0;
      for (let k = c * width; k < (c + 1) * width; k++) square += book[k]! ** 2;
      return -square / 2;
    });
  }

  /** Writes the code of vector i to `codes[at + i * step]`; gives the number of codes that changed. */
  nearest(
    { values, vectors, first, stride, width }: Slices,
    codes: Uint8Array,
    at: number,
    step: number,
  ): number {
    const [centroids, offsets] = [this.#centroids, this.#offsets];
    const x = new Float64Array(width);
    let changed = 0;
    for (let i = 0; i < vectors; i++) {
      for (let k = 0, from = first + i * stride; k < width; k++) x[k] = values[from + k]!;
      let [best, code] = [Number.NEGATIVE_INFINITY, 0];
      for (let c = 0; c < CENTROIDS; c += TOGETHER) {
        let [a, b, d, e] = [offsets[c]!, offsets[c + 1]!, offsets[c + 2]!, offsets[c + 3]!];
        for (let k = 0, from = c * width; k < width; k++, from++) {
          const number = x[k]!;
          a += number * centroids[from]!;
          b += number * centroids[from + width]!;
          d += number * centroids[from + 2 * width]!;
          e += number * centroids[from + 3 * width]!;
        }
        if (a > best) [best, code] = [a, c];
        if (b > best) [best, code] = [b, c + 1];
        if (d > best) [best, code] = [d, c + 2];
        if (e > best) [best, code] = [e, c + 3];
      }
      const place = at + i * step;
      if (codes[place] !== code) changed++;
      codes[place] = code;
    }
    return changed;
  }
}

/** Lloyd's algorithm from centroids drawn among the vectors. book: [CENTROIDS, width], zeros; overwritten. */
async function kMeans(slices: Slices, book: Float32Array, training: QuantiserTraining): Promise<void> {
  const { values, vectors, first, stride, width } = slices;
  const put = (centroid: number, vector: number) => {
    const from = first + vector * stride;
    book.set(values.subarray(from, from + width), centroid * width);
  };
  if (vectors <= CENTROIDS) {
    for (let i = 0; i < vectors; i++) put(i, i);
    return;
  }
  const order = Int32Array.from({ length: vectors }, (_, i) => i);
  for (let c = 0; c < CENTROIDS; c++) {
    const drawn = c + training.below(vectors - c);
    [order[c], order[drawn]] = [order[drawn]!, order[c]!];
    put(c, order[c]!);
  }
  const codes = new Uint8Array(vectors);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    await training.turn(iteration / ITERATIONS);
    const changed = new CentroidSearch(book, width).nearest(slices, codes, 0, 1);
    if (iteration > 0 && changed === 0) return;
    moveToMeans(slices, codes, book, put);
  }
}

/** Each centroid moves to the mean of its vectors; one without any, to the vector that is farthest from its own centroid. */
function moveToMeans(
  { values, vectors, first, stride, width }: Slices,
  codes: Uint8Array,
  book: Float32Array,
  put: (centroid: number, vector: number) => void,
): void {
  const sums = new Float64Array(book.length);
  const counts = new Uint32Array(CENTROIDS);
  const distances = new Float64Array(vectors);
  for (let i = 0; i < vectors; i++) {
    const code = codes[i]!;
    counts[code]!++;
    for (let k = 0, from = first + i * stride, c = code * width; k < width; k++) {
      sums[c + k]! += values[from + k]!;
      distances[i]! += (values[from + k]! - book[c + k]!) ** 2;
    }
  }
  for (let i = 0; i < book.length; i++) {
    const count = counts[Math.floor(i / width)]!;
    if (count > 0) book[i] = sums[i]! / count;
  }
  for (let c = 0; c < CENTROIDS; c++) {
    if (counts[c]! > 0) continue;
    let farthest = 0;
    for (let i = 1; i < vectors; i++) if (distances[i]! > distances[farthest]!) farthest = i;
    put(c, farthest);
    distances[farthest] = 0;
  }
}

function bookOf(codebooks: Float32Array, part: number, width: number): Float32Array {
  return codebooks.subarray(part * CENTROIDS * width, (part + 1) * CENTROIDS * width);
}

/** Numbers in a part. */
function widthOf({ dim, parts }: Cut): number {
  if (partsOf(dim).includes(parts)) return dim / parts;
  throw new ShapeError(`${parts} parts do not divide vectors of ${dim} numbers`);
}

function countOf(vectors: Float32Array, dim: number): number {
  if (vectors.length % dim === 0) return vectors.length / dim;
  throw new ShapeError(`${vectors.length} numbers; expected vectors of ${dim}`);
}
