/** When batches and commits are cut. Counts alone give the same bytes for the same events. */
export interface Pace {
  /** Edges to a batch. */
  readonly batchEdges: number;
  /** A batch is trained at this age however small; Infinity: cut by count alone. */
  readonly lingerMs: number;
  /** Edges trained before a commit … */
  readonly commitEdges: number;
  /** … or time since the last one. */
  readonly commitMs: number;
  /** Rows that a larger one is to write at most, as far as can be told: several copies are in memory by then. */
  readonly commitRows: number;
  /**
   * Rows that training an edge moves, at most, on average over a batch. Given where commits are cut by count alone and may
   * be as large as memory allows: larger ones write less, and without a clock nothing else tells how large.
   */
  readonly rowsPerEdge?: number;
  /** Bytes of records read ahead of training: the back-pressure bound. */
  readonly queueBytes: number;
  /** Vectors that may wait to be acknowledged before reading pauses. */
  readonly maxOutbox: number;
}

/** When a vector that moved is published. */
export interface Publishing {
  /** A row is due when its drift is over epsilon, … */
  readonly epsilon: number;
  /** … or when it moved at all and was last published this long ago. */
  readonly maxAgeMs: number;
}

/**
 * What of an updater may be set anew while it runs. Whoever needs a value reads it here at that moment, and keeps no
 * copy of it.
 */
export interface Tuning extends Pace, Publishing {
  /** It is not ready while further behind than this; Infinity: however far. */
  readonly readyLagMs: number;
}
