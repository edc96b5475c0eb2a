import { ADDED, CHANGE_NUMBERS, encodeBatch, REMOVED, TRAINED } from './batch-codec.ts';

const FIRST_EDGES = 1024;

/** The batch being gathered: the meaning of the records read so far for the trainer. */
export class OpenBatch {
  /** When its first record was read, epoch ms; undefined while empty. */
  since: number | undefined;
  /** When that record arrived, epoch ms. */
  arrived: number | undefined;
  /** Edges to train on. */
  edges = 0;
  /** Edges that become live, less those that are live no more. */
  live = 0;
  readonly #newTypes: number[] = [];
  /** Types of new entities by row, where the row was another entity's before. */
  readonly #reused = new Map<number, number>();
  readonly #dropped = new Set<number>();
  readonly #reset = new Set<number>();
  /** As `batch-codec` has them, up to `#end`. */
  #changes = new Int32Array(CHANGE_NUMBERS * FIRST_EDGES);
  #end = 0;

  get empty(): boolean {
    const entities = this.#newTypes.length + this.#reused.size + this.#dropped.size + this.#reset.size;
    return this.#end + entities === 0;
  }

  /** Notes that a record is read; only the first record of a batch counts. */
  begin(now: number, arrived: number | undefined): void {
    this.since ??= now;
    this.arrived ??= arrived;
  }

  newEntity(type: number): void {
    this.#newTypes.push(type);
  }

  newEntityOn(row: number, type: number): void {
    this.#reused.set(row, type);
  }

  /** Notes whether an edge was live before an event, and whether it is now; then it is to be trained. */
  changed(lhs: number, relation: number, rhs: number, before: boolean, now: boolean): void {
    if (!before && !now) return;
    if (this.#end === this.#changes.length)
      this.#changes = new Int32Array(this.#changes.buffer.transfer(2 * this.#changes.byteLength));
    const bits = now ? TRAINED | (before ? 0 : ADDED) : REMOVED;
    this.#changes[this.#end] = lhs;
    this.#changes[this.#end + 1] = rhs;
    this.#changes[this.#end + 2] = (relation << 8) | bits;
    this.#end += CHANGE_NUMBERS;
    this.live += Number(now) - Number(before);
    if (now) this.edges++;
  }

  drop(row: number): void {
    this.#forgetEdges(row);
    this.#reset.delete(row);
    this.#dropped.add(row);
  }

  /** The row starts again: edges to be trained on it are dropped, later ones are not. */
  reset(row: number): void {
    this.#forgetEdges(row);
    this.#reset.add(row);
  }

  /** The batch for the trainer, see `batch-codec`. */
  close(): Int32Array<ArrayBuffer> {
    const reused = [...this.#reused].sort(([a], [b]) => a - b);
    return encodeBatch({
      newTypes: this.#newTypes,
      reusedRows: reused.map(([row]) => row),
      reusedTypes: reused.map(([, type]) => type),
      dropped: [...this.#dropped],
      reset: [...this.#reset],
      changes: this.#changes.subarray(0, this.#end),
    });
  }

  #forgetEdges(row: number): void {
    const changes = this.#changes;
    for (let at = 0; at < this.#end; at += CHANGE_NUMBERS) {
      const touches = changes[at] === row || changes[at + 1] === row;
      if (!touches || (changes[at + 2]! & TRAINED) === 0) continue;
      changes[at + 2]! -= TRAINED;
      this.edges--;
    }
  }
}
