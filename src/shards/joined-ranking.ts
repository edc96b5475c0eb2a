import type { EntityKey } from '../graph/entity.ts';
import { shardOf } from '../graph/shard.ts';
import type { Kernel } from '../model/kernel.ts';
import { Table } from '../model/table.ts';
import { trainerIn } from '../pipeline/training/local-trainer.ts';
import { Prequential } from '../pipeline/training/prequential.ts';
import { BLOCK } from '../pipeline/training/ranker.ts';
import { type KernelMaker, TrainerCore } from '../pipeline/training/train.ts';
import type {
  PrequentialSettings,
  RankedEdges,
  TrainBatch,
  Trainer,
  TrainerSettings,
  Triples,
} from '../pipeline/training/trainer.ts';
import { chunkLimits, tableOptions } from '../pipeline/training/trainer-size.ts';
import { KnownPositives } from '../sampling/known-positives.ts';
import { NO_TYPE, TypeRows } from '../sampling/type-rows.ts';
import { foreignOf } from './foreign-rows.ts';

export interface JoinedRankingOptions {
  /** Settings of the whole graph; maxRows: of its relations and of all entities. */
  readonly settings: TrainerSettings;
  readonly prequential: PrequentialSettings;
  readonly shards: number;
  readonly kernels: KernelMaker;
  /** Row of an entity in the whole graph, above those of the relations. Every entity has one of its own. */
  readonly rowOf: (entity: EntityKey) => number;
  /** Gets the edges that were ranked, as rows of the whole graph. */
  readonly onRanked: (edges: RankedEdges) => void;
}

/** A shard's trainer, and the entities that its rows stand for. */
interface Part {
  readonly core: TrainerCore;
  readonly keyAt: (row: number) => EntityKey | undefined;
  /** By row of the shard: the row of the whole graph, or NONE. */
  readonly rows: number[];
}

const NONE = -1;

/**
 * Ranks each edge of a graph that is cut into shards before any shard learns it, as {@link Prequential} ranks it in the
 * whole graph: among the own entities of all shards, each with the vector that its owner has now. Copies of entities take
 * no part. Relation vectors are the means of the shards', as where the vectors of all shards are joined.
 *
 * An edge is ranked, and counted, by the shard that trains it. An entity takes part once its owner has trained it, as in a whole
 * graph: while its edges wait for vectors, it lies where it started. All shards train in the calling thread, on fresh stores: no
 * table changes while an edge is ranked.
 */
export class JoinedRanking {
  readonly #options: JoinedRankingOptions;
  readonly #parts: Part[] = [];
  readonly #relationRows: number;
  /** [maxRows] the shard that owns each entity, and its row there; NONE: it has no vector yet. */
  readonly #home: Uint8Array;
  readonly #rowAtHome: Int32Array;
  readonly #trained: Uint8Array;
  /** Entities that got their start and were not trained since: an edge that waits for a vector trains no end. */
  readonly #untrained = new Set<number>();
  readonly #types: TypeRows;
  readonly #known: KnownPositives;
  readonly #prequential: Prequential;
  /** The vectors that are scored: those of the relations, of a block of anchors, and of their candidates. */
  readonly #scratch: Table;
  readonly #kernel: Kernel;
  readonly #anchorRows: Int32Array;
  readonly #candidateRows: Int32Array;
  readonly #zeros: Float32Array;

  constructor(options: JoinedRankingOptions) {
    const { settings, prequential, kernels } = options;
    const { maxRows, entityTypes, relations, model, maxKnownEdges } = settings;
    this.#options = options;
    this.#relationRows = 2 * relations.length;
    this.#home = new Uint8Array(maxRows);
    this.#rowAtHome = new Int32Array(maxRows).fill(NONE);
    this.#trained = new Uint8Array(maxRows);
    this.#types = new TypeRows(entityTypes.length, maxRows);
    this.#known = new KnownPositives({ maxRows, maxEdges: maxKnownEdges });
    const firstAnchor = this.#relationRows;
    const firstCandidate = firstAnchor + BLOCK;
    const candidates = Math.max(BLOCK, 2 * prequential.candidates);
    this.#anchorRows = Int32Array.from({ length: BLOCK }, (_, i) => firstAnchor + i);
    this.#candidateRows = Int32Array.from({ length: candidates }, (_, i) => firstCandidate + i);
    const scratch = tableOptions({ ...settings, maxRows: firstCandidate + candidates }, kernels);
    this.#scratch = new Table(scratch);
    this.#scratch.addRows(scratch.maxRows);
    this.#kernel = kernels.createKernel(settings.kernel, this.#scratch, model, chunkLimits(settings));
    this.#zeros = new Float32Array(model.dim);
    this.#prequential = new Prequential({
      settings,
      prequential,
      kernel: { scoreMatrix: this.#scoreMatrix },
      known: this.#known,
      types: this.#types,
      trained: this.#trained,
      vector: (row) => (row < this.#relationRows ? this.#scratch.vector(row) : this.#vectorOf(row)),
    });
  }

  /** A trainer for shard `index`. keyAt: the entity on a row of the shard, as of the batch that is handed over. */
  trainer(index: number, settings: TrainerSettings, keyAt: Part['keyAt']): Trainer {
    const core = new TrainerCore(settings, this.#options.kernels, foreignOf);
    const part: Part = { core, keyAt, rows: Array.from({ length: this.#relationRows }, () => NONE) };
    this.#parts[index] = part;
    const plain = trainerIn(core);
    return {
      ...plain,
      train: async (batch) => {
        const started = this.#register(index, part, batch);
        this.#rank(index, part, batch);
        const report = await plain.train(batch);
        this.#learned(index, part, batch, started);
        return report;
      },
    };
  }

  /** Gives the batch's new rows their entities. Returns the shard's own rows that get their start in this batch. */
  #register(index: number, part: Part, { newTypes, reused, reset }: TrainBatch): number[] {
    const first = part.rows.length;
    const named = [
      ...Array.from(newTypes, (type, i) => ({ row: first + i, type })),
      ...Array.from(reused.rows, (row, i) => ({ row, type: reused.types[i]! })),
    ];
    const added: { readonly joined: number; readonly type: number }[] = [];
    for (const { row, type } of named) {
      const key = part.keyAt(row);
      // Without a key, the entity was erased by the batch that named it.
      const joined = key === undefined ? NONE : this.#options.rowOf(key);
      part.rows[row] = joined;
      if (key === undefined) continue;
      this.#home[joined] = shardOf(key, this.#options.shards);
      // The other owner of its first edge may have named it before.
      if (this.#types.typeOf(joined) === NO_TYPE) added.push({ joined, type });
    }
    for (const type of new Set(added.map((each) => each.type))) {
      const rows = added.filter((each) => each.type === type).map(({ joined }) => joined);
      this.#types.insert(Int32Array.from(rows).sort(), type);
    }
    const started = this.#own(index, part, [...named.map(({ row }) => row), ...reset]);
    for (const row of started) {
      this.#rowAtHome[part.rows[row]!] = NONE;
      this.#trained[part.rows[row]!] = 0;
      this.#untrained.add(part.rows[row]!);
    }
    return started;
  }

  /** Ranks the edges of a batch, and notes what the batch does to edges and entities. */
  #rank(index: number, part: Part, batch: TrainBatch): void {
    const edges = joinedEdges(part, batch.edges);
    const added = joinedEdges(part, batch.added);
    const removed = joinedEdges(part, batch.removed);
    this.#meanRelations();
    if (edges.lhs.length > 0) this.#options.onRanked(this.#prequential.rank(edges));
    added.lhs.forEach((lhs, i) => {
      this.#known.add(lhs, added.relation[i]!, added.rhs[i]!);
    });
    removed.lhs.forEach((lhs, i) => {
      this.#known.remove(lhs, removed.relation[i]!, removed.rhs[i]!);
    });
    const forgotten = (rows: Int32Array) =>
      Int32Array.from(this.#own(index, part, rows), (row) => part.rows[row]!);
    this.#prequential.learn({
      edges,
      added,
      removed,
      dropped: forgotten(batch.dropped),
      reset: forgotten(batch.reset),
    });
  }

  /** Notes which of the shard's own entities have a vector after a batch. started: rows that got their start in it. */
  #learned(index: number, part: Part, { dropped }: TrainBatch, started: readonly number[]): void {
    for (const row of started) this.#rowAtHome[part.rows[row]!] = row;
    const gone = Int32Array.from(this.#own(index, part, dropped), (row) => part.rows[row]!);
    this.#types.drop(gone);
    for (const joined of gone) {
      this.#rowAtHome[joined] = NONE;
      this.#trained[joined] = 0;
      this.#untrained.delete(joined);
    }
    for (const joined of this.#untrained) {
      if (this.#home[joined] !== index || !part.core.isTrained(this.#rowAtHome[joined]!)) continue;
      this.#trained[joined] = 1;
      this.#untrained.delete(joined);
    }
  }

  /** Those of the shard's rows whose entities it owns. */
  #own(index: number, part: Part, rows: Iterable<number>): number[] {
    return [...rows].filter((row) => part.rows[row] !== NONE && this.#home[part.rows[row]!] === index);
  }

  /** The vector of an entity as its owner has it now. */
  #vectorOf(joined: number): Float32Array {
    const row = this.#rowAtHome[joined]!;
    return row === NONE ? this.#zeros : this.#parts[this.#home[joined]!]!.core.vector(row);
  }

  #meanRelations(): void {
    const started = this.#parts.filter(({ core }) => core.rows >= this.#relationRows);
    for (let row = 0; row < this.#relationRows; row++) {
      const vectors = started.map(({ core }) => core.vector(row));
      const mean = this.#scratch.vector(row);
      for (let k = 0; k < mean.length; k++)
        mean[k] = vectors.reduce((sum, vector) => sum + vector[k]!, 0) / vectors.length;
    }
  }

  readonly #scoreMatrix: Kernel['scoreMatrix'] = (anchors, relationRows, candidates, out) => {
    const anchorRows = this.#anchorRows.subarray(0, anchors.length);
    const candidateRows = this.#candidateRows.subarray(0, candidates.length);
    anchorRows.forEach((row, i) => {
      this.#scratch.vector(row).set(this.#vectorOf(anchors[i]!));
    });
    candidateRows.forEach((row, k) => {
      this.#scratch.vector(row).set(this.#vectorOf(candidates[k]!));
    });
    this.#kernel.scoreMatrix(anchorRows, relationRows, candidateRows, out);
  };
}

/** A shard's edges as rows of the whole graph. */
function joinedEdges({ rows }: Part, { lhs, relation, rhs }: Triples): Triples {
  return { lhs: lhs.map((row) => rows[row]!), relation, rhs: rhs.map((row) => rows[row]!) };
}
