import { type EdgeRows, edgeRows } from '../graph/edge.ts';
import { copyAccumulator, ownerOfCopy, type Shard, trainedShare } from '../graph/shard.ts';
import { RowUpdater } from '../model/adagrad.ts';
import type { Kernel, Side } from '../model/kernel.ts';
import type { Table } from '../model/table.ts';
import { type Foreign, type ForeignParts, noForeign } from '../pipeline/training/foreign.ts';
import type { CopiesInUse, Outgoing, ShardBatch } from '../pipeline/training/shard-batch.ts';
import type { TrainerSettings } from '../pipeline/training/trainer.ts';
import type { TrainerRows } from '../pipeline/training/trainer-rows.ts';
import type { KnownPositives } from '../sampling/known-positives.ts';
import { Random } from '../sampling/random.ts';
import { HalfVectors, VectorSlab } from './half-vectors.ts';
import { Leases } from './leases.ts';

/** Seeds of a graph's shards lie this far apart: users give small ones. */
const SHARD_SEEDS = 2 ** 32;
/** Makes up for gradients that other shards send: they move a row a batch late or more. Measured: docs/adr/038. */
const SHARD_RATE = 1.4;
/** How far a vector moves before it is sent again to the shards that hold a copy, unless set. Why .2: docs/adr/032. */
const RESEND_DISTANCE = 0.2;
/** Edges that wait for the vector of their far end; further ones are trained by rehearsal alone. */
const MOST_WAITING = 65_536;
/** In place of an owner: the row is no copy. */
const OWN = 255;

/** A graph's settings as its shard trains with them. */
export function ofShard(
  settings: TrainerSettings,
  { index, count }: Pick<Shard, 'index' | 'count'>,
): TrainerSettings {
  const { model } = settings;
  const learningRate = SHARD_RATE * model.learningRate;
  return { ...settings, model: { ...model, learningRate }, shard: { index, count } };
}

/** What a trainer with these settings knows of other shards. */
export function foreignOf(parts: ForeignParts): Foreign {
  const { shard } = parts.settings;
  return shard === undefined ? noForeign(parts) : new ForeignRows(shard, parts);
}

/**
 * What a shard's trainer knows of other shards: which rows are copies of theirs, which shards hold copies of its own rows,
 * and what has to be sent to whom. The gradient of a copy goes to its owner, whose vector replaces the copy when it comes; until
 * then the copy moves by its gradients as the owner's row will. A row whose vector has not come yet is absent; edges to it wait.
 */
export class ForeignRows implements Foreign {
  readonly #shard: Pick<Shard, 'index' | 'count'>;
  /** See {@link trainedShare}. */
  readonly #ownShares: Readonly<Record<Side, number>>;
  readonly #table: Table;
  readonly #rows: TrainerRows;
  readonly #updater: RowUpdater;
  readonly #relationRows: number;
  readonly #seed: number;
  /** [maxRows] the shard of each row that is a copy, else OWN. */
  readonly #owner: Uint8Array;
  /** The batch at work, and the relation vectors that it wants. */
  #batch: ShardBatch | undefined;
  #relations: Float32Array | undefined;
  readonly #leases: Leases;
  /** A vector is sent again to the shards that hold a copy once it has moved by this much. */
  readonly #resendDistance: number;
  /** The vector of each own row as its holders have it. */
  readonly #sent: VectorSlab;
  /** Own rows that moved in this batch and are held elsewhere, each once. */
  readonly #moved = new Set<number>();
  /** Vectors to send to a shard whose lease is new, or whose copy has no vector. */
  #owed: { readonly row: number; readonly shard: number }[] = [];
  /** Edges with an absent end that came and were not trained. */
  #waiting: EdgeRows = edgeRows(0);
  /** By shard: what is to be sent to it after this batch. */
  readonly #gradients: readonly HalfVectors[];
  readonly #vectors: readonly HalfVectors[];
  /** [maxRows] by copy: the accumulator of its owner's row, with the steps taken here; NaN: not known. */
  readonly #accumulators: Float32Array;
  /** Scratch for a vector in single precision, and for one with its accumulator. */
  readonly #single: Float32Array;
  readonly #stated: Float32Array;

  constructor(shard: Pick<Shard, 'index' | 'count'>, { settings, table, rows }: ForeignParts) {
    const { model, relations, maxRows } = settings;
    this.#shard = shard;
    this.#ownShares = { lhs: trainedShare(shard, 'lhs'), rhs: trainedShare(shard, 'rhs') };
    this.#table = table;
    this.#rows = rows;
    this.#updater = new RowUpdater(table, model);
    this.#relationRows = 2 * relations.length;
    this.#seed = settings.seed;
    this.#owner = new Uint8Array(maxRows).fill(OWN);
    this.#leases = new Leases(maxRows, shard.count);
    this.#resendDistance = settings.resendDistance ?? RESEND_DISTANCE;
    this.#sent = new VectorSlab(table.dim, maxRows);
    const { dim } = table;
    this.#accumulators = new Float32Array(maxRows).fill(Number.NaN);
    this.#single = new Float32Array(dim);
    this.#stated = new Float32Array(dim + 1);
    this.#gradients = Array.from({ length: shard.count }, () => new HalfVectors(dim));
    this.#vectors = Array.from({ length: shard.count }, () => new HalfVectors(dim + 1));
  }

  get shards(): number {
    return this.#shard.count;
  }

  isForeign(row: number): boolean {
    return this.#owner[row] !== OWN;
  }

  /** See `ForeignCandidates`. A copy has only edges with own rows here. */
  share(row: number, side: Side): number {
    return this.isForeign(row) ? 1 / this.#shard.count : this.#ownShares[side];
  }

  load(row: number): boolean {
    if (!this.#table.isForeign(row)) return false;
    const { floats, accumulator } = this.#table;
    this.#owner[row] = ownerOfCopy(floats[this.#table.at(row) + accumulator]!);
    const isThere = this.#table.vector(row).some((number) => number !== 0);
    this.#rows.trained[row] = isThere ? 1 : 0;
    return true;
  }

  /** All shards start with the same relation vectors, which they merge. Entities of two shards must not start alike. */
  random(): Random {
    return Random.seeded(this.#seed + (this.#shard.index + 1) * SHARD_SEEDS);
  }

  begin(batch: ShardBatch | undefined): void {
    this.#batch = batch;
    batch?.copies.rows.forEach((row, i) => {
      this.#owner[row] = batch.copies.owners[i]!;
    });
  }

  add(row: number): boolean {
    if (!this.isForeign(row)) return false;
    this.#markForeign(row);
    return true;
  }

  drop(row: number): void {
    this.#forget(row);
    this.#owner[row] = OWN;
    this.#leases.clear(row);
    this.#owed = this.#owed.filter((owed) => owed.row !== row);
  }

  /** Makes the row new to all: a copy is absent, and an own row goes to all that hold a copy. */
  reset(row: number): void {
    this.#forget(row);
    if (this.isForeign(row)) this.#markForeign(row);
    else this.#moves(row);
  }

  /** An edge waits as long as an end is absent. */
  readonly trainable = (lhs: number, rhs: number): boolean => !this.#absent(lhs) && !this.#absent(rhs);

  rankable(edges: EdgeRows): EdgeRows {
    return kept(edges, (i) => this.trainable(edges.lhs[i]!, edges.rhs[i]!));
  }

  receive(learningRate: number): boolean {
    if (this.#batch === undefined) return false;
    const { vectors, gradients, relations, wantsRelations, inUse, turn } = this.#batch;
    this.#relations = wantsRelations ? this.#readRelations() : undefined;
    const { dim } = this.#table;
    for (const [i, row] of vectors.rows.entries()) {
      if (!this.isForeign(row)) continue;
      const at = i * (dim + 1);
      this.#rows.touch(row);
      this.#table.vector(row).set(vectors.halves.subarray(at, at + dim));
      this.#accumulators[row] = vectors.halves[at + dim]! ** 2;
      this.#rows.trained[row] = 1;
    }
    for (const [i, row] of gradients.rows.entries()) {
      if (this.isForeign(row)) continue;
      this.#single.set(gradients.halves.subarray(i * dim, (i + 1) * dim));
      this.touch(row);
      this.#rows.meet(row);
      this.#updater.update(row, this.#single, true, learningRate);
      this.#rows.trained[row] = 1;
    }
    if (relations.length > 0) this.#mergeRelations(relations);
    // Without a holder there is no vector to measure moves from.
    if (turn) this.#leases.turn((row) => this.#sent.drop(row));
    this.#lease(inUse);
    return gradients.rows.length + relations.length > 0;
  }

  /** Gives a lease to each shard that uses its copy, and a vector with a new lease or where one is asked for. */
  #lease({ rows, shards, wanted }: CopiesInUse): void {
    for (let i = 0; i < rows.length; i++) {
      const [row, shard] = [rows[i]!, shards[i]!];
      if (this.isForeign(row)) continue;
      const isNew = this.#leases.renew(row, shard);
      if (isNew || wanted[i] === 1) this.#owed.push({ row, shard });
    }
  }

  admit(edges: EdgeRows, known: KnownPositives): EdgeRows {
    // An edge that waited and was removed meanwhile is not to be learned.
    const { lhs, relation, rhs } = this.#waiting;
    const waited = kept(this.#waiting, (i) => known.has(lhs[i]!, relation[i]!, rhs[i]!));
    const all = joined(waited, edges);
    const isOpen = (i: number) => this.trainable(all.lhs[i]!, all.rhs[i]!);
    let places = MOST_WAITING;
    const waits = all.lhs.map((_, i) => (isOpen(i) || places-- <= 0 ? 0 : 1));
    this.#waiting = kept(all, (i) => waits[i] === 1);
    return kept(all, isOpen);
  }

  touch(row: number): void {
    if (this.isForeign(row)) return;
    this.#rows.touch(row);
    this.#moves(row);
  }

  stepped(kernel: Kernel, learningRate: number): void {
    kernel.foreignGradients((row, gradient) => this.#keepGradient(row, gradient, learningRate));
  }

  /** Notes that an own row moves. */
  #moves(row: number): void {
    if (this.#leases.any(row)) this.#moved.add(row);
  }

  /** Keeps a copy's gradient for its owner, and moves the copy as its owner will: steps at one place would move the owner too far. */
  #keepGradient(row: number, gradient: Float32Array, learningRate: number): void {
    this.#gradients[this.#owner[row]!]!.push(row, gradient);
    const accumulator = this.#accumulators[row]!;
    if (Number.isNaN(accumulator)) return;
    this.#rows.snapshot?.keep(row);
    this.#accumulators[row] = this.#updater.updateCopy(row, gradient, accumulator, learningRate);
  }

  /** [relation rows, dim + 1] vector and accumulator of each relation row, for the other shards. */
  #readRelations(): Float32Array {
    const { dim, floats, accumulator } = this.#table;
    const copy = new Float32Array(this.#relationRows * (dim + 1));
    for (let row = 0; row < this.#relationRows; row++) {
      const at = this.#table.at(row);
      copy.set(floats.subarray(at, at + dim), row * (dim + 1));
      copy[row * (dim + 1) + dim] = floats[at + accumulator]!;
    }
    return copy;
  }

  take(): Outgoing {
    this.#putVectors();
    const to = this.#gradients.map((gradients, shard) => ({
      gradients: gradients.take(),
      vectors: this.#vectors[shard]!.take(),
    }));
    const relations = this.#relations;
    return { to, ...(relations && { relations }), waiting: this.#waiting.lhs.length };
  }

  /** Puts up the vectors of own rows that moved far, for all who hold copies, and those of rows that are newly held. */
  #putVectors(): void {
    const resent = new Set<number>();
    // Where no vector of the row was sent yet, or not since the start, no holder has one to measure moves from.
    for (const { row } of this.#owed) if (!this.#sent.has(row)) this.#moved.add(row);
    for (const row of this.#moved) {
      const vector = this.#table.vector(row);
      const distance = this.#sent.distance(row, vector);
      if (distance !== undefined && distance < this.#resendDistance) continue;
      this.#sent.put(row, vector);
      resent.add(row);
      for (const shard of this.#leases.of(row)) this.#vectors[shard]!.push(row, this.#state(row));
    }
    this.#moved.clear();
    for (const { row, shard } of this.#owed)
      if (!resent.has(row)) this.#vectors[shard]!.push(row, this.#state(row));
    this.#owed = [];
  }

  /** [dim + 1] an own row's vector and the square root of its accumulator, which half precision can hold; valid until the next call. */
  #state(row: number): Float32Array {
    const { dim, floats, accumulator } = this.#table;
    this.#stated.set(this.#table.vector(row));
    this.#stated[dim] = Math.sqrt(floats[this.#table.at(row) + accumulator]!);
    return this.#stated;
  }

  /** Moves every relation row to the mean of its own vector and those of other shards, the accumulator likewise. */
  #mergeRelations(copies: readonly Float32Array[]): void {
    const { dim, floats, accumulator, drift } = this.#table;
    const share = 1 / (copies.length + 1);
    const mean = new Float64Array(dim + 1);
    for (let row = 0; row < this.#relationRows; row++) {
      this.#rows.touch(row);
      const at = this.#table.at(row);
      const from = row * (dim + 1);
      mean.set(floats.subarray(at, at + dim));
      mean[dim] = floats[at + accumulator]!;
      for (const copy of copies) for (let k = 0; k <= dim; k++) mean[k]! += copy[from + k]!;
      let squares = 0;
      for (let k = 0; k < dim; k++) {
        const move = share * mean[k]! - floats[at + k]!;
        floats[at + k]! += move;
        squares += move * move;
      }
      floats[at + accumulator] = share * mean[dim]!;
      floats[at + drift]! += Math.sqrt(squares);
    }
  }

  absent(): Int32Array {
    return Int32Array.from({ length: this.#table.rows }, (_, row) => row).filter((row) => this.#absent(row));
  }

  /** Makes a cleared row a copy whose vector is still to come. */
  #markForeign(row: number): void {
    this.#table.markForeign(row, copyAccumulator(this.#owner[row]!));
  }

  #absent(row: number): boolean {
    return this.isForeign(row) && this.#rows.trained[row] === 0;
  }

  #forget(row: number): void {
    this.#sent.drop(row);
    this.#moved.delete(row);
  }
}

/** Those of the edges whose places are kept. */
function kept({ lhs, relation, rhs }: EdgeRows, keep: (i: number) => boolean): EdgeRows {
  const places = lhs.map((_, i) => i).filter(keep);
  const of = (list: Int32Array) => places.map((i) => list[i]!);
  return { lhs: of(lhs), relation: of(relation), rhs: of(rhs) };
}

function joined(first: EdgeRows, second: EdgeRows): EdgeRows {
  const both = (of: keyof EdgeRows) => Int32Array.from([...first[of], ...second[of]]);
  return { lhs: both('lhs'), relation: both('relation'), rhs: both('rhs') };
}
