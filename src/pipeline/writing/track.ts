import { dot, norm } from '../../graph/nearest.ts';

/** Newest publications that are kept of an entity. */
export const MOST_POINTS = 512;
/** Numbers a point is kept as: time, step, move, norm, cosine; NaN where there is none. */
export const POINT_NUMBERS = 5;

/** A publication that moved an entity's vector; or, with three nulls, where another training's vectors begin. */
export interface DriftPoint {
  /** When the commit that put it up for publishing was written, epoch ms. */
  readonly at: number;
  /** Of the training; that of its header on the topic, unless a newer one went out in its place. */
  readonly step: number;
  /** Path since the publication before; null where there is none to compare with. */
  readonly move: number | null;
  /** Length. */
  readonly norm: number | null;
  /** To the first vector of this training that is known here: how far it has turned in all. */
  readonly cosine: number | null;
}

/** What a track is made from again. */
export interface TrackState {
  readonly since: number;
  readonly space: string | undefined;
  readonly first: Float32Array | undefined;
  /** [n, 5] */
  readonly numbers: readonly number[];
}

/** How one entity's vector moves from publication to publication, in bounded memory. */
export class Track {
  #since: number;
  /** Run of training its points are of; undefined before the first commit. */
  #space: string | undefined;
  /** [dim] the first vector of `#space` that is known. */
  #first: Float32Array | undefined;
  readonly #numbers: number[] = [];

  constructor({ since, space, first, numbers = [] }: Partial<TrackState> & { readonly since: number }) {
    this.#since = since;
    this.#space = space;
    this.#first = first;
    this.#numbers.push(...numbers.slice(-MOST_POINTS * POINT_NUMBERS));
  }

  get state(): TrackState {
    return { since: this.#since, space: this.#space, first: this.#first, numbers: this.#numbers };
  }

  /** Since when it is kept, epoch ms. */
  get since(): number {
    return this.#since;
  }

  /** Oldest first. */
  points(): DriftPoint[] {
    const points: DriftPoint[] = [];
    for (let i = 0; i < this.#numbers.length; i += POINT_NUMBERS) {
      const [at = 0, step = 0, move, length, cosine] = this.#numbers.slice(i, i + POINT_NUMBERS);
      points.push({ at, step, move: orNull(move), norm: orNull(length), cosine: orNull(cosine) });
    }
    return points;
  }

  /** Notes which run of training the graph's vectors are of. True where they are of another one than before. */
  enter(space: string, { at, step }: { readonly at: number; readonly step: number }): boolean {
    if (space === this.#space) return false;
    const another = this.#space !== undefined && this.#numbers.length > 0;
    this.#space = space;
    this.#first = undefined;
    if (another) this.#push(at, step, Number.NaN, Number.NaN, Number.NaN);
    return another;
  }

  /**
   * Takes a vector that is put up for publishing; it is copied. vector: [dim].
   * move: path since the one before; NaN where there was none: the entity is new, or was erased and begins again.
   */
  add(vector: Float32Array, { at, step, move }: { at: number; step: number; move: number }): void {
    if (Number.isNaN(move) && this.#numbers.length > 0) {
      this.#numbers.length = 0;
      this.#first = undefined;
      this.#since = at;
    }
    // What another training published before says nothing of how far this one moved.
    const comparable = this.#first !== undefined || this.#numbers.length === 0;
    this.#first ??= vector.slice();
    const dim = vector.length;
    const length = norm(vector, dim);
    const cosine = dot(this.#first, vector, dim) / (norm(this.#first, dim) * length);
    this.#push(at, step, comparable ? move : Number.NaN, length, cosine);
  }

  #push(...numbers: [at: number, step: number, move: number, norm: number, cosine: number]): void {
    this.#numbers.push(...numbers);
    if (this.#numbers.length > MOST_POINTS * POINT_NUMBERS) this.#numbers.splice(0, POINT_NUMBERS);
  }
}

function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}
