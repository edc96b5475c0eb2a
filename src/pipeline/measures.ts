import type { RankedEdges } from './training/trainer.ts';

/**
 * What an updater reports of its work as it happens, beside the counts of {@link Progress}: a call for each batch,
 * commit or send, or for each vector. Times in ms. A call is cheap and never throws; one that is left out is not made.
 */
export interface Measures {
  /** A batch goes to the trainer. ms: since its first record arrived. */
  batch?(ms: number): void;
  /** The trainer answered a batch. ms: since the batch was handed over, the batches before it included. */
  step?(ms: number): void;
  /** Edges were ranked before they were learned. */
  ranked?(edges: RankedEdges): void;
  /** A commit is written. ms: since it was asked for. */
  commit?(ms: number): void;
  /** Vectors and tombstones are acknowledged. ms: since they were sent. */
  publish?(ms: number): void;
  /** A vector that an event moved is acknowledged: time since the event's record arrived, and since the event. */
  fresh?(sinceArrivalMs: number, sinceEventMs: number): void;
}
