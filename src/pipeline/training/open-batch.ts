import type { TrainBatch, Triples } from './trainer.ts';

interface Membership {
  readonly lhs: number;
  readonly relation: number;
  readonly rhs: number;
  readonly before: boolean;
  now: boolean;
}

/** The batch being gathered: what the records read so far mean to the trainer. */
export class OpenBatch {
  /** When its first record was read, epoch ms; undefined while empty. */
  since: number | undefined;
  /** When the source handed that record over, epoch ms. */
  arrived: number | undefined;
  readonly #newTypes: number[] = [];
  /** Types of new entities by the row they have, which was another's before. */
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

  /** A record is read now, which arrived then: the first of a batch counts. */
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

  /** The edge was live before this change or not, and is now or not. */
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

  /** The row starts again: what was to be trained on it is gone, what comes after is not. */
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
