import { FatalError, reasonOf, ShapeError } from '../../errors.ts';
import type { Kernel } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import { Table, type TableOptions } from '../../model/table.ts';
import { cutChunks } from '../../sampling/chunks.ts';
import { FixedCandidates } from '../../sampling/fixed-candidates.ts';
import { KnownPositives } from '../../sampling/known-positives.ts';
import { Negatives } from '../../sampling/negatives.ts';
import { Random } from '../../sampling/random.ts';
import { rehearse } from '../../sampling/rehearsal.ts';
import { NO_TYPE, TypeRows } from '../../sampling/type-rows.ts';
import { Evaluator } from './evaluate.ts';
import type {
  Checkpoint,
  CheckpointOptions,
  LoadedRows,
  TrainBatch,
  TrainerSettings,
  TrainReport,
  Triples,
} from './trainer.ts';
import { Initialiser } from './trainer-init.ts';
import { TrainerRows } from './trainer-rows.ts';

/** Where kernels come from; `kernels/select` is one. */
export interface KernelMaker {
  /** Bytes to be left free before the table's rows. */
  workspaceBytes(model: ModelSettings, maxEdges: number, maxCandidates: number): number;
  createKernel(
    name: TrainerSettings['kernel'],
    table: Table,
    model: ModelSettings,
    limits: { maxEdges: number; maxCandidates: number },
  ): Kernel;
}

/** How large a trainer's table is. */
export function tableOptions(
  { model, maxRows, chunkEdges, uniformNegatives }: TrainerSettings,
  kernels: Pick<KernelMaker, 'workspaceBytes'>,
): TableOptions {
  const workspaceBytes = kernels.workspaceBytes(model, chunkEdges, chunkEdges + uniformNegatives);
  return { dim: model.dim, maxRows, workspaceBytes };
}

/**
 * Trains one graph's table, in the calling thread: see `Trainer` for what each call means. The same calls in the same
 * order give the same bytes, also across a checkpoint, a stop and a load; see `Trainer` for where.
 */
export class TrainerCore {
  readonly #settings: TrainerSettings;
  readonly #table: Table;
  readonly #kernel: Kernel;
  readonly #types: TypeRows;
  readonly #known: KnownPositives;
  readonly #candidates: FixedCandidates;
  readonly #rows: TrainerRows;
  readonly #negatives: Negatives;
  readonly #evaluator: Evaluator;
  #random: Random;
  #step = 0;
  #started = false;
  #broken: string | undefined;

  constructor(settings: TrainerSettings, kernels: KernelMaker) {
    const { model, relations, maxRows, chunkEdges } = settings;
    const types = settings.entityTypes.length;
    const maxCandidates = chunkEdges + settings.uniformNegatives;
    if (relations.length > 256)
      throw new ShapeError(`${relations.length} relations; at most 256 are possible`);
    this.#settings = settings;
    this.#table = new Table(tableOptions(settings, kernels));
    this.#kernel = kernels.createKernel(settings.kernel, this.#table, model, {
      maxEdges: chunkEdges,
      maxCandidates,
    });
    this.#types = new TypeRows(types, maxRows);
    this.#known = new KnownPositives({ maxRows, maxEdges: settings.maxKnownEdges });
    this.#candidates = new FixedCandidates({ types, size: settings.evaluatedCandidates, rows: this.#types });
    this.#rows = new TrainerRows(this.#table, this.#types);
    this.#negatives = new Negatives({
      rows: this.#types,
      known: this.#known,
      relations,
      uniform: settings.uniformNegatives,
      pool: settings.negativePool,
    });
    this.#evaluator = new Evaluator({
      settings,
      kernel: this.#kernel,
      known: this.#known,
      candidates: this.#candidates,
      trained: this.#rows.trained,
    });
    this.#random = Random.seeded(settings.seed);
  }

  loadRows(rows: LoadedRows): void {
    this.#loading();
    const first = this.#table.addRows(rows.types.length);
    this.#rows.load(first, rows);
    for (let i = 0; i < rows.types.length; i++) {
      if (rows.types[i] !== NO_TYPE) this.#name(first + i, rows.types[i]!);
    }
  }

  loadEdges(edges: Triples): void {
    this.#loading();
    this.#check(edges);
    const { lhs, relation, rhs } = edges;
    for (let i = 0; i < lhs.length; i++) this.#known.load(lhs[i]!, relation[i]!, rhs[i]!);
  }

  start(state: { step: number; random: Uint32Array } | undefined): void {
    this.#loading();
    const relationRows = 2 * this.#settings.relations.length;
    const rows = this.#table.rows;
    if (state === undefined ? rows > 0 : rows < relationRows) {
      throw new FatalError(
        'trainer-state',
        `${rows} rows loaded and ${state === undefined ? 'no' : 'a'} stored state; ` +
          `a fresh store has neither, any other both and at least its ${relationRows} relation rows`,
      );
    }
    if (state === undefined) {
      const initialiser = new Initialiser(this.#table, this.#settings, this.#random);
      const first = this.#table.addRows(relationRows);
      for (let row = first; row < first + relationRows; row++) {
        this.#rows.clear(row);
        initialiser.scatter(row, this.#settings.initScale);
      }
    } else {
      this.#random = new Random(state.random);
      this.#step = state.step;
    }
    this.#known.settle();
    this.#started = true;
  }

  /** One batch, in this order: register new rows, test, initialise them, take in and out what came and went, train. */
  train(batch: TrainBatch): TrainReport {
    this.#usable();
    this.#check(batch.edges);
    this.#check(batch.added);
    this.#check(batch.removed);
    try {
      const starting = this.#register(batch);
      const ranks = this.#evaluator.evaluate(batch.edges);
      const initialiser = new Initialiser(this.#table, this.#settings, this.#random);
      const started = initialiser.start(starting, batch.edges);
      // Before training: what is gone must not be rehearsed.
      this.#change(batch);
      const losses = this.#trainEdges(batch.edges);
      this.#drop(batch.dropped);
      return { step: this.#step, edges: batch.edges.lhs.length, ...losses, ...ranks, started };
    } catch (error) {
      this.#broken = reasonOf(error);
      throw error;
    }
  }

  checkpoint(options: CheckpointOptions): Checkpoint {
    this.#usable();
    return { step: this.#step, random: this.#random.state(), ...this.#rows.checkpoint(options) };
  }

  /** Makes the batch's new and reset rows zeros, names the new ones, and returns all of them, ascending. */
  #register(batch: TrainBatch): Int32Array {
    const first = this.#table.addRows(batch.newTypes.length);
    const starting = new Set(batch.reset);
    for (let i = 0; i < batch.newTypes.length; i++) {
      this.#name(first + i, batch.newTypes[i]!);
      starting.add(first + i);
    }
    for (const row of starting) this.#rows.clear(row);
    this.#step += batch.reset.length;
    return Int32Array.from(starting).sort();
  }

  /** Trains chunk by chunk, rehearsed edges among the new; loss and edges of the new by relation. */
  #trainEdges(fresh: Triples): Pick<TrainReport, 'loss' | 'edgesByRelation'> {
    const { relations, chunkEdges, updatesPerEdge } = this.#settings;
    const { edges, every } = rehearse(fresh, this.#known, updatesPerEdge, this.#random);
    const loss = new Float64Array(relations.length);
    const edgesByRelation = new Float64Array(relations.length);
    const { order, ends } = cutChunks(edges.relation, relations, chunkEdges);
    this.#negatives.startBatch();
    let from = 0;
    for (const to of ends) {
      this.#negatives.fill(this.#kernel.chunk, edges, order.subarray(from, to), this.#random);
      this.#kernel.step();
      this.#step++;
      for (let i = from; i < to; i++) {
        if (order[i]! % every !== 0) continue;
        const relation = edges.relation[order[i]!]!;
        loss[relation]! += this.#kernel.losses[i - from]!;
        edgesByRelation[relation]!++;
      }
      this.#touchChunk();
      from = to;
    }
    return { loss, edgesByRelation };
  }

  /** Every row of the chunk may have moved. */
  #touchChunk(): void {
    const { edges, lhs, relation, rhs, lhsCount, lhsCandidates, rhsCount, rhsCandidates } =
      this.#kernel.chunk;
    const rows = this.#rows;
    for (let i = 0; i < edges; i++) {
      rows.touch(lhs[i]!);
      rows.touch(rhs[i]!);
      rows.touch(2 * relation[i]!);
      rows.touch(2 * relation[i]! + 1);
      rows.trained[lhs[i]!] = 1;
      rows.trained[rhs[i]!] = 1;
    }
    for (let k = 0; k < lhsCount; k++) rows.touch(lhsCandidates[k]!);
    for (let k = 0; k < rhsCount; k++) rows.touch(rhsCandidates[k]!);
  }

  #drop(dropped: Int32Array): void {
    const types = Array.from(dropped, (row) => this.#types.typeOf(row));
    this.#types.drop(dropped);
    dropped.forEach((row, i) => {
      this.#candidates.drop(row, types[i]!);
      this.#rows.clear(row);
    });
    this.#step += dropped.length;
  }

  #name(row: number, type: number): void {
    this.#types.add(row, type);
    this.#candidates.add(row, type);
  }

  /** Live edges become those after the batch. */
  #change({ added, removed }: TrainBatch): void {
    for (let i = 0; i < added.lhs.length; i++) {
      this.#known.add(added.lhs[i]!, added.relation[i]!, added.rhs[i]!);
    }
    for (let i = 0; i < removed.lhs.length; i++) {
      this.#known.remove(removed.lhs[i]!, removed.relation[i]!, removed.rhs[i]!);
    }
  }

  #check({ lhs, relation, rhs }: Triples): void {
    if (lhs.length !== relation.length || rhs.length !== relation.length) {
      throw new ShapeError(
        `${lhs.length} lhs, ${relation.length} relations, ${rhs.length} rhs; expected as many`,
      );
    }
  }

  #loading(): void {
    if (this.#started) throw new FatalError('trainer-started', 'the trainer has started; load before start');
  }

  #usable(): void {
    if (!this.#started)
      throw new FatalError('trainer-not-started', 'the trainer has not started; call start first');
    if (this.#broken !== undefined) {
      throw new FatalError(
        'trainer-broken',
        `an earlier batch failed half-way (${this.#broken}); start again from the stored state`,
      );
    }
  }
}
