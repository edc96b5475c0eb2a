import { FatalError, MAKE_AGAIN, reasonOf, ShapeError } from '../../errors/errors.ts';
import { BLOCK_ROWS, type CheckpointBlock, NO_TYPE } from '../../graph/checkpoint.ts';
import type { EdgeRows } from '../../graph/edge.ts';
import { decayed } from '../../model/adagrad.ts';
import type { Kernel, KernelName } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import { Table } from '../../model/table.ts';
import { rehearse } from '../../sampling/batch.ts';
import { FixedCandidates } from '../../sampling/fixed-candidates.ts';
import { KnownPositives } from '../../sampling/known-positives.ts';
import { Negatives } from '../../sampling/negatives.ts';
import { Random } from '../../sampling/random.ts';
import { TypeRows } from '../../sampling/type-rows.ts';
import { type BatchParts, decodeBatch, eachChange } from './batch-codec.ts';
import { ChunkTrainer } from './chunk-trainer.ts';
import { type Foreign, type ForeignParts, noForeign } from './foreign.ts';
import { Evaluator } from './ranking/evaluator.ts';
import { Prequential } from './ranking/prequential.ts';
import { Snapshot } from './snapshot.ts';
import type { Stepper } from './stepper.ts';
import {
  chunkLimits,
  type Due,
  type DueOptions,
  type GivenDue,
  type TrainBatch,
  type Trainer,
  type TrainerSettings,
  type TrainerState,
  type TrainReport,
  tableOptions,
  type Workspace,
} from './trainer.ts';
import { scatter, startRows, TrainerRows } from './trainer-rows.ts';

/** Makes kernels: see `kernels/select`. */
export interface KernelMaker extends Workspace {
  createKernel(
    name: TrainerSettings['kernel'],
    table: Table,
    model: ModelSettings,
    limits: { maxEdges: number; maxCandidates: number },
  ): Kernel;
  /** Threads that step on the table with the named kernel, `threads - 1` but one at least; none for a kernel that can't share it. */
  startSteppers(
    name: KernelName,
    table: Table,
    model: ModelSettings,
    limits: { maxEdges: number; maxCandidates: number; threads: number },
  ): readonly Stepper[];
}

/**
 * Trains one graph's table, in the calling thread and in threads that it starts: see `Trainer` for what each call
 * means and where the same calls give the same bytes. That holds across a checkpoint, a stop and a load too, but for
 * copies of other shards' rows: after a load they are as they were stored, and move once their owners send them. Threads
 * change only what `ChunkTrainer` does.
 */
export class TrainerCore {
  readonly #settings: TrainerSettings;
  readonly #table: Table;
  readonly #types: TypeRows;
  readonly #known: KnownPositives;
  readonly #candidates: FixedCandidates;
  readonly #rows: TrainerRows;
  readonly #foreign: Foreign;
  readonly #evaluator: Evaluator;
  readonly #prequential: Prequential | undefined;
  readonly #steppers: readonly Stepper[];
  readonly #chunks: ChunkTrainer;
  #random: Random;
  #step = 0;
  #started = false;
  #broken: string | undefined;

  /** foreignOf: makes what is known of other parts of the graph; without it, the graph is whole. */
  constructor(
    settings: TrainerSettings,
    kernels: KernelMaker,
    foreignOf: (parts: ForeignParts) => Foreign = noForeign,
  ) {
    const { model, relations, maxRows, threads, prequential } = settings;
    const types = settings.entityTypes.length;
    const limits = chunkLimits(settings);
    if (relations.length > 256)
      throw new ShapeError(`${relations.length} relations; at most 256 are possible`);
    this.#settings = settings;
    this.#table = new Table(tableOptions(settings, kernels));
    const kernel = kernels.createKernel(settings.kernel, this.#table, model, limits);
    this.#types = new TypeRows(types, maxRows);
    this.#known = new KnownPositives({ maxRows, maxEdges: settings.maxKnownEdges });
    this.#candidates = new FixedCandidates({ types, size: settings.evaluatedCandidates, rows: this.#types });
    this.#rows = new TrainerRows(this.#table, this.#types);
    this.#foreign = foreignOf({ settings, table: this.#table, rows: this.#rows });
    const parts = { settings, kernel, known: this.#known, types: this.#types, trained: this.#rows.trained };
    this.#evaluator = new Evaluator({ ...parts, candidates: this.#candidates });
    const vector = (row: number) => this.#table.vector(row);
    this.#prequential = prequential && new Prequential({ ...parts, prequential, vector });
    this.#random = Random.seeded(settings.seed);
    // A graph that is cut takes what each step gives its copies, and trains in the calling thread.
    this.#steppers = settings.shard
      ? []
      : kernels.startSteppers(kernel.name, this.#table, model, { ...limits, threads });
    const foreign = this.#foreign;
    const negatives = new Negatives({
      rows: this.#types,
      known: this.#known,
      relations,
      uniform: settings.uniformNegatives,
      inBatch: settings.inBatchNegatives,
      corrected: settings.correctNegatives ?? false,
      anchors: settings.anchorNegatives ?? false,
      foreign,
    });
    this.#chunks = new ChunkTrainer({
      settings,
      kernel,
      steppers: this.#steppers,
      negatives,
      rows: this.#rows,
      foreign,
    });
  }

  load(block: CheckpointBlock): void {
    this.#loading();
    const { types, edges } = block;
    const first = this.#table.addRows(types.length);
    this.#rows.load(first, block);
    if (edges) this.loadEdges(edges);
    for (let i = 0; i < types.length; i++)
      if (!this.#foreign.load(first + i) && types[i] !== NO_TYPE) this.#name(first + i, types[i]!);
  }

  loadEdges(edges: EdgeRows): void {
    this.#loading();
    this.#known.load(edges);
    this.#prequential?.load(edges);
  }

  start(state: { step: number; random: Uint32Array } | undefined): void {
    this.#loading();
    const relationRows = 2 * this.#settings.relations.length;
    const rows = this.#table.rows;
    if (state === undefined ? rows > 0 : rows < relationRows) {
      throw new FatalError(
        'store-damaged',
        `${rows} rows loaded and ${state === undefined ? 'no' : 'a'} stored state; ` +
          `a fresh store has neither, any other both and at least its ${relationRows} relation rows; ${MAKE_AGAIN}`,
      );
    }
    if (state === undefined) {
      const first = this.#table.addRows(relationRows);
      const words = new Uint32Array(this.#table.dim);
      for (let row = first; row < first + relationRows; row++) {
        this.#rows.clear(row);
        scatter(this.#table.vector(row), this.#settings.initScale, this.#random, words);
      }
      this.#random = this.#foreign.random(this.#random);
    } else {
      this.#random = new Random(state.random);
      this.#step = state.step;
    }
    this.#known.settle();
    this.#started = true;
  }

  /** Trains one batch, in this order: register new rows, evaluate, start the new rows, update the live edges, train. */
  train(batch: TrainBatch): TrainReport {
    this.#usable();
    try {
      const foreign = this.#foreign;
      const parts = decodeBatch(batch.numbers);
      const { edges, changes } = parts;
      foreign.begin(batch.shard);
      // Steps of the batch before may be under way. They move nothing but rows, and none that is new or was dropped.
      if (parts.reset.length > 0) this.#chunks.settle();
      const starting = this.#register(parts);
      const { model, decaySteps, evaluatedEdges } = this.#settings;
      const moved = foreign.receive(decayed(model.learningRate, this.#step, decaySteps));
      if (evaluatedEdges > 0 || this.#prequential) this.#chunks.settle();
      const ranks = this.#evaluator.evaluate(foreign.rankable(edges));
      const ranked = this.#prequential?.rank(edges);
      startRows(starting, this.#table, this.#settings, this.#random);
      // Before training: edges that are gone must not be rehearsed.
      this.#change(changes);
      this.#prequential?.learn(parts);
      const fresh = foreign.admit(edges, this.#known);
      for (const ends of [fresh.lhs, fresh.rhs]) for (const row of ends) this.#rows.meet(row);
      const rehearsed = rehearse(fresh, this.#known, this.#settings, this.#random, foreign.trainable);
      const { steps, ...losses } = this.#chunks.train(rehearsed, this.#random, this.#step);
      // What other shards sent moves rows too, and a vector that moved is of another step.
      this.#step += steps === 0 && moved ? 1 : steps;
      if (parts.dropped.length > 0) this.#chunks.settle();
      this.#drop(parts.dropped);
      const counts = { edges: fresh.lhs.length, setAside: this.#rows.snapshot?.setAside ?? 0 };
      const outgoing = foreign.take();
      const report = { step: this.#step, ...counts, ...losses, ...ranks, started: starting.length };
      return { ...report, ...(ranked && { ranked }), ...(outgoing && { outgoing }) };
    } catch (error) {
      this.#broken = reasonOf(error);
      throw error;
    }
  }

  state(): TrainerState {
    const { maxRows, maxKnownEdges: maxEdges } = this.#settings;
    const limits = { maxRows, maxEdges, liveEdges: this.#known.edges };
    return { ...this.#state(), absent: this.#foreign.absent(), limits };
  }

  due(options: DueOptions): Due {
    return { ...this.#state(), ...this.#rows.due(options) };
  }

  #state(): Omit<TrainerState, 'absent' | 'limits'> {
    this.#settled();
    const { dim, floats, accumulator } = this.#table;
    const relations = new Float32Array(2 * this.#settings.relations.length * (dim + 1));
    for (let row = 0; row < 2 * this.#settings.relations.length; row++) {
      relations.set(this.#table.vector(row), row * (dim + 1));
      relations[row * (dim + 1) + dim] = floats[this.#table.at(row) + accumulator]!;
    }
    return { step: this.#step, random: this.#random.state(), relations };
  }

  gave(due: GivenDue): void {
    this.#settled();
    this.#rows.gave(due);
  }

  republish({ step, rows }: Parameters<Trainer['republish']>[0]): void {
    // What is published again is other bytes than before, and so of another step.
    this.#step = 1 + Math.max(this.#step, step);
    this.#rows.republish(rows);
  }

  /** @throws ShapeError where a row is not in use. */
  vectors(rows: Int32Array): Float32Array {
    this.#settled();
    for (const row of rows)
      if (row >= this.#table.rows)
        throw new ShapeError(`row ${row} was asked for; ${this.#table.rows} are in use`);
    return this.#table.vectors(rows);
  }

  snapshot(blockRows = BLOCK_ROWS): void {
    this.#usable();
    const { rows, dim } = this.#table;
    const copy = this.#rows.copy.bind(this.#rows);
    this.#rows.snapshot = new Snapshot({ rows, width: dim + 2, blockRows, known: this.#known, copy });
  }

  /** Steps may be under way: their rows are copied aside. */
  slice(spent?: Float32Array): CheckpointBlock | undefined {
    this.#usable();
    const block = this.#rows.snapshot?.take(spent);
    if (block === undefined) this.#rows.snapshot = undefined;
    return block;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#steppers.map((stepper) => stepper.stop()));
  }

  /** Zeros the batch's new, reused and reset rows, registers the types of the first two, and returns all of them, ascending. */
  #register({ newTypes, reusedRows, reusedTypes, reset }: BatchParts): Int32Array {
    const foreign = this.#foreign;
    const first = this.#table.addRows(newTypes.length);
    const again = new Set([...reset, ...reusedRows]);
    const starting = Int32Array.from([...again, ...newTypes.keys().map((i) => first + i)]);
    for (const row of starting) this.#rows.clear(row);
    // Copies of other shards' rows are not sampled and get no start: their vectors come from their owners.
    newTypes.forEach((type, i) => {
      if (!foreign.add(first + i)) this.#name(first + i, type);
    });
    const own = reusedRows.map((row) => (foreign.add(row) ? 0 : 1));
    const isOwn = (_: number, i: number) => own[i] === 1;
    this.#nameAgain(reusedRows.filter(isOwn), reusedTypes.filter(isOwn));
    for (const row of reset) foreign.reset(row);
    this.#step += reset.length;
    return starting.filter((row) => !foreign.isForeign(row)).sort();
  }

  #drop(dropped: Int32Array): void {
    const types = Array.from(dropped, (row) => this.#types.typeOf(row));
    for (const row of dropped) this.#rows.touch(row);
    this.#types.drop(dropped);
    dropped.forEach((row, i) => {
      if (types[i] !== NO_TYPE) this.#candidates.drop(row, types[i]!);
      this.#foreign.drop(row);
      this.#rows.clear(row);
    });
    this.#step += dropped.length;
  }

  #name(row: number, type: number): void {
    this.#types.add(row, type);
    this.#candidates.add(row, type);
  }

  #nameAgain(rows: Int32Array, types: Int32Array): void {
    for (const type of new Set(types)) {
      const added = rows.filter((_, i) => types[i] === type);
      this.#types.insert(added, type);
      for (const row of added) this.#candidates.add(row, type);
    }
  }

  /** Updates the live edges to those after the batch. @throws FatalError where they are too many. */
  #change(changes: Int32Array): void {
    eachChange(changes, (lhs, relation, rhs, live) => {
      if (live) this.#known.add(lhs, relation, rhs);
      else this.#known.remove(lhs, relation, rhs);
    });
    this.#known.refuseMore();
  }

  #loading(): void {
    if (this.#started) throw new FatalError('fault', 'the trainer has started; load before start');
  }

  /** Waits until no thread touches the table. @throws as `#usable`, and FatalError where a step failed. */
  #settled(): void {
    this.#usable();
    this.#chunks.settle();
  }

  #usable(): void {
    if (!this.#started) throw new FatalError('fault', 'the trainer has not started; call start first');
    if (this.#broken !== undefined) {
      throw new FatalError(
        'thread',
        `an earlier batch failed half-way (${this.#broken}); start again from the stored state`,
      );
    }
  }
}
