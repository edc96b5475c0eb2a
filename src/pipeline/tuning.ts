/** When batches and commits are cut. Where counts alone decide, the same events give the same bytes. */
export interface Pace {
  readonly batchEdges: number;
  /** Age at which a batch is trained however small; Infinity: batches are cut by count alone. */
  readonly lingerMs: number;
  /** Edges trained before a commit is due, … */
  readonly commitEdges: number;
  /** … or the time since the last commit. */
  readonly commitMs: number;
  /** Training after which a checkpoint is due, ms of processor time: about what a start after a kill repeats. */
  readonly recoverMs: number;
  /** Bytes of records read ahead of training: the bound for back-pressure. */
  readonly queueBytes: number;
  /** Vectors that may wait to be acknowledged before reading pauses. */
  readonly maxOutbox: number;
  /** Time that a stop may take. */
  readonly stopMs: number;
}

/** When a vector that moved is published. */
export interface Publishing {
  /** Drift from which a row with a new edge is published; Infinity: none is ever due, new rows neither; … */
  readonly epsilon: number;
  /** … or the age of its last publication, for a row that moved at all. */
  readonly maxAgeMs: number;
}

/** The pace of an updater, and when it publishes. */
export interface Tuning extends Pace, Publishing {
  /** Lag from which the updater is not ready; Infinity: the updater is ready however far it is behind. */
  readonly readyLagMs: number;
}
