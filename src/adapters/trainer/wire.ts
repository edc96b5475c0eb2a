import type {
  Checkpoint,
  CheckpointOptions,
  HeldRows,
  LoadedRows,
  TrainBatch,
  TrainReport,
  Triples,
} from '../../pipeline/training/trainer.ts';

/** What the trainer's thread answers. */
export interface TrainerMethods {
  loadRows(rows: LoadedRows): void;
  loadEdges(edges: Triples): void;
  start(state: { step: number; random: Uint32Array } | undefined): void;
  train(batch: TrainBatch): TrainReport;
  checkpoint(options: CheckpointOptions): Checkpoint;
  readRows(rows: { readonly first: number; readonly count: number }): HeldRows;
}
