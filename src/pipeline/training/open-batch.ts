import type { TrainBatch, Triples } from './trainer.ts';

interface Membership {
  readonly lhs: number;
  readonly relation: number;
  readonly rhs: number;
  readonly before: boolean;
  now: boolean;
}

/** The batch being gathered: the meaning of the records read so far for the trainer. */
export class OpenBatch {
  /** When its first record was read, epoch ms; undefined while empty. */
  since: number | undefined;
  /** When that record arrived, epoch ms. */
  arrived: number | undefined;
  readonly #newTypes: number[] = [];
  /** Types of new entities by row, where the row was another entity's before. */
  readonly #reused = new Map<number, number>();
  readonly #dropped = new Set<number>();
  readonly #reset = new Set<number>();
  #edges: { lhs: number; relation: number; rhs: number }[] = [];
  readonly #membership = new Map<string, Membership>();

  /** Edges to train on. */
  get edges(): number {
    return this.#edges.length;
  }

  get empty(): boolean {
    return (
      this.#edges.length === 0 &&
      this.#membership.size === 0 &&
      this.#newTypes.length === 0 &&
      this.#reused.size === 0 &&
      this.#dropped.size === 0 &&
      this.#reset.size === 0
    );
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

  /** Notes whether the edge was live before this change, and whether it is now. */
  changed(lhs: number, relation: number, rhs: number, before: boolean, now: boolean): void {
    const id = `${lhs},${relation},${rhs}`;
    const known = this.#membership.get(id);
    if (known) known.now = now;
    else this.#membership.set(id, { lhs, relation, rhs, before, now });
  }

  train(lhs: number, relation: number, rhs: number): void {
    this.#edges.push({ lhs, relation, rhs });
  }

  drop(row: number): void {
    this.#forgetEdges(row);
    this.#reset.delete(row);
    this.#dropped.add(row);
  }

  /**
   * The row starts again: edges to be trained on it are dropped, later ones are not.
   */
  reset(row: number): void {
    this.#forgetEdges(row);
    this.#reset.add(row);
  }

  close(): TrainBatch {
    const moved = [...this.#membership.values()].filter(({ before, now }) => before !== now);
    return {
      newTypes: Uint8Array.from(this.#newTypes),
      reused: reusedOf(this.#reused),
      dropped: Int32Array.from(this.#dropped),
      reset: Int32Array.from(this.#reset),
      edges: triples(this.#edges),
      added: triples(moved.filter(({ now }) => now)),
      removed: triples(moved.filter(({ now }) => !now)),
    };
  }

  #forgetEdges(row: number): void {
    this.#edges = this.#edges.filter(({ lhs, rhs }) => lhs !== row && rhs !== row);
  }
}

function reusedOf(types: ReadonlyMap<number, number>): TrainBatch['reused'] {
  const rows = Int32Array.from(types.keys()).sort();
  return { rows, types: Uint8Array.from(rows, (row) => types.get(row) ?? 0) };
}

function triples(edges: readonly { lhs: number; relation: number; rhs: number }[]): Triples {
  return {
    lhs: Int32Array.from(edges, ({ lhs }) => lhs),
    relation: Int32Array.from(edges, ({ relation }) => relation),
    rhs: Int32Array.from(edges, ({ rhs }) => rhs),
  };
}
