import type { EdgeRows } from '../../graph/edge.ts';
import type { Kernel } from '../../model/kernel.ts';
import type { Table } from '../../model/table.ts';
import type { KnownPositives } from '../../sampling/known-positives.ts';
import { type ForeignCandidates, WHOLE } from '../../sampling/negatives.ts';
import type { Random } from '../../sampling/random.ts';
import type { Outgoing, ShardBatch } from './shard-batch.ts';
import type { TrainerSettings } from './trainer.ts';
import type { TrainerRows } from './trainer-rows.ts';

/** What a trainer knows of rows that belong to other parts of its graph. Calls come in the order of a batch's work. */
export interface Foreign extends ForeignCandidates {
  /** Takes over a stored row where it is a copy, and says whether it is. */
  load(row: number): boolean;
  /** The random source for entities, once the relation rows of a fresh table are made with `ofRelations`. */
  random(ofRelations: Random): Random;
  begin(batch: ShardBatch | undefined): void;
  /** Makes a new row, which is cleared, a copy where it is one, and says whether it is. */
  add(row: number): boolean;
  /** Notes that the row's entity starts again; the row is cleared. */
  reset(row: number): void;
  /** Takes in what other parts sent with the batch, and says whether any of it was a step. */
  receive(learningRate: number): boolean;
  /** The edges of the batch that can be ranked before they are learned. */
  rankable(edges: EdgeRows): EdgeRows;
  /** The edges that can be trained now, earlier ones before those of the batch. known: the live edges after the batch. */
  admit(edges: EdgeRows, known: KnownPositives): EdgeRows;
  /** Whether an edge between two rows can be trained; absent: every one can. */
  readonly trainable: ((lhs: number, rhs: number) => boolean) | undefined;
  /** Notes that a chunk moves the row of an entity, copies excepted. */
  touch(row: number): void;
  /** Takes the gradients of copies from a kernel that stepped. */
  stepped(kernel: Kernel, learningRate: number): void;
  /** Forgets all about a row that is dropped, before it is cleared. */
  drop(row: number): void;
  /** Copies that have no vector. */
  absent(): Int32Array;
  /** What is to be sent after the batch; undefined where there is nobody to send it to. */
  take(): Outgoing | undefined;
}

/** What a trainer's foreign rows are made of. */
export interface ForeignParts {
  readonly settings: TrainerSettings;
  readonly table: Table;
  readonly rows: TrainerRows;
}

/** In a whole graph, every row is its own. */
export function noForeign({ rows }: Pick<ForeignParts, 'rows'>): Foreign {
  return {
    ...WHOLE,
    trainable: undefined,
    load: () => false,
    random: (ofRelations) => ofRelations,
    add: () => false,
    receive: () => false,
    rankable: (edges) => edges,
    admit: (edges) => edges,
    touch: (row) => rows.touch(row),
    absent: () => new Int32Array(0),
    take: () => undefined,
    begin() {},
    reset() {},
    stepped() {},
    drop() {},
  };
}
