import { OpenHolders } from './open-holders.ts';
import type { OpenShardBatch } from './open-shard-batch.ts';
import type { HOLDING, TrainBatch, Triples } from './trainer.ts';

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
  /** Copies of other shards' rows that are to be let go of after the batch. */
  readonly evicted: number[] = [];
  readonly #shard: OpenShardBatch | undefined;
  readonly #holders = new OpenHolders();
  readonly #newTypes: number[] = [];
  /** Types of new entities by row, where the row was another entity's before. */
  readonly #reused = new Map<number, number>();
  readonly #dropped = new Set<number>();
  readonly #reset = new Set<number>();
  #edges: { lhs: number; relation: number; rhs: number }[] = [];
  readonly #membership = new Map<string, Membership>();

  /** shard: what joins the batch to other shards of the graph; absent where the graph is whole. */
  constructor(shard?: OpenShardBatch) {
    this.#shard = shard;
  }

  /** What other shards sent; undefined where the graph is whole. */
  get shard(): OpenShardBatch | undefined {
    return this.#shard;
  }

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
      this.#reset.size === 0 &&
      this.#holders.size === 0 &&
      this.evicted.length === 0 &&
      (this.#shard?.empty ?? true)
    );
  }

  /** Notes that a record is read; only the first record of a batch counts. */
  begin(now: number, arrived: number | undefined): void {
    this.since ??= now;
    this.arrived ??= arrived;
  }

  /** home: the shard that the entity belongs to; 0 where the graph is whole. */
  newEntity(type: number, home = 0): void {
    this.#newTypes.push(type);
    this.#shard?.newHomes.push(home);
  }

  newEntityOn(row: number, type: number, home = 0): void {
    this.#reused.set(row, type);
    this.#shard?.reusedHomes.set(row, home);
  }

  /** Notes whether the edge was live before this change, and whether it is now. */
  changed(lhs: number, relation: number, rhs: number, before: boolean, now: boolean): void {
    const id = `${lhs},${relation},${rhs}`;
    const known = this.#membership.get(id);
    if (known) known.now = now;
    else this.#membership.set(id, { lhs, relation, rhs, before, now });
  }

  /** Notes what another shard says of its copy of an own row. */
  hold(row: number, shard: number, holding: keyof typeof HOLDING): void {
    this.#holders.hold(row, shard, holding);
  }

  /** Notes that a live edge is named again; see `CopyBatch.confirmed`. */
  confirmed(lhs: number, relation: number, rhs: number): void {
    const id = `${lhs},${relation},${rhs}`;
    if (!this.#membership.has(id)) this.#membership.set(id, { lhs, relation, rhs, before: true, now: true });
  }

  train(lhs: number, relation: number, rhs: number): void {
    this.#edges.push({ lhs, relation, rhs });
  }

  drop(row: number): void {
    this.#forgetEdges(row);
    this.#shard?.forget(row);
    this.#holders.forget(row);
    this.#reset.delete(row);
    this.#dropped.add(row);
  }

  /**
   * The row starts again: edges to be trained on it and what other shards sent for it are dropped, later ones are not. What was said
   * of who holds it stays: a newer edge, which the erasure leaves, may have said so.
   */
  reset(row: number): void {
    this.#forgetEdges(row);
    this.#shard?.forget(row);
    this.#reset.add(row);
  }

  close(): TrainBatch {
    const all = [...this.#membership.values()];
    const moved = all.filter(({ before, now }) => before !== now);
    const confirmed = all.filter(({ before, now }) => before && now);
    return {
      newTypes: Uint8Array.from(this.#newTypes),
      reused: reusedOf(this.#reused),
      dropped: Int32Array.from(this.#dropped),
      reset: Int32Array.from(this.#reset),
      edges: triples(this.#edges),
      added: triples(moved.filter(({ now }) => now)),
      removed: triples(moved.filter(({ now }) => !now)),
      ...(this.#shard && {
        shard: this.#shard.close(),
        copies: {
          holders: this.#holders.close(),
          confirmed: triples(confirmed),
          evicted: Int32Array.from(this.evicted),
        },
      }),
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
