import type { RankedEdges } from './training/trainer.ts';

/** Vectors acknowledged with one sweep, by the commit that moved them last. */
export type ByCommit = ReadonlyMap<number, number>;

/**
 * What an updater reports of its work as it happens, beside the counts of {@link Progress}: a call for each batch,
 * commit or send, or for each vector. Times in ms. A call is cheap and never throws.
 */
export interface Measures {
  /** A batch goes to the trainer. ms: since its first record arrived. */
  batch(edges: number, ms: number): void;
  /** The trainer answered a batch. ms: since the batch was handed over, the batches before it included. */
  step(ms: number): void;
  /** Edges were ranked before they were learned. */
  ranked(edges: RankedEdges): void;
  /** A commit is asked for. It holds the batches handed over since the commit before. */
  asked(commit: number): void;
  /** A commit is written. ms: since it was asked for. */
  commit(commit: number, ms: number, size: { readonly records: number; readonly vectors: number }): void;
  /** Vectors and tombstones are acknowledged. ms: since they were read from the store. */
  publish(vectors: number, ms: number, by: ByCommit): void;
  /** No vector of the commit waits any longer: each is acknowledged, or moved again by a later commit. */
  acknowledged(commit: number): void;
  /** A vector that an event moved is acknowledged: time since the event's record arrived, and since the event. */
  fresh(sinceArrivalMs: number, sinceEventMs: number): void;
}

export const noMeasures: Measures = {
  batch() {},
  step() {},
  ranked() {},
  asked() {},
  commit() {},
  publish() {},
  acknowledged() {},
  fresh() {},
};

/** Reports to both, to `first` first. */
export function both(first: Measures, second: Measures): Measures {
  return {
    batch: (edges, ms) => {
      first.batch(edges, ms);
      second.batch(edges, ms);
    },
    step: (ms) => {
      first.step(ms);
      second.step(ms);
    },
    ranked: (edges) => {
      first.ranked(edges);
      second.ranked(edges);
    },
    asked: (commit) => {
      first.asked(commit);
      second.asked(commit);
    },
    commit: (commit, ms, size) => {
      first.commit(commit, ms, size);
      second.commit(commit, ms, size);
    },
    publish: (vectors, ms, by) => {
      first.publish(vectors, ms, by);
      second.publish(vectors, ms, by);
    },
    acknowledged: (commit) => {
      first.acknowledged(commit);
      second.acknowledged(commit);
    },
    fresh: (sinceArrivalMs, sinceEventMs) => {
      first.fresh(sinceArrivalMs, sinceEventMs);
      second.fresh(sinceArrivalMs, sinceEventMs);
    },
  };
}
