import type { AnswerHead } from './served-graph.ts';

/** Which entities' vectors a process holds: those of some partitions of the topic with embeddings. */
export interface Part {
  readonly held: readonly number[];
  /** Partitions of the topic. */
  readonly of: number;
}

/** The vectors that may be compared with one another. */
export interface SpaceId {
  readonly graph: string;
  /** Empty where the shard holds no vector. */
  readonly space: string;
  readonly fingerprint: string;
}

/** What a shard holds of a graph, as of now. */
export interface Holding extends SpaceId, Pick<AnswerHead, 'step' | 'asOf' | 'staleSince'> {
  readonly part: Part;
}
