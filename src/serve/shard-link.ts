import type { ShardAnswers, ShardQuestion, ShardQuestions } from './shard-questions.ts';

/** A process that is asked. */
export interface ShardLink {
  readonly url: string;
  /** @throws ShardRefused when the request is wrong; ShardMissed when there is no answer of use. */
  ask<Q extends ShardQuestion>(
    name: Q,
    question: ShardQuestions[Q],
    timeoutMs: number,
  ): Promise<ShardAnswers[Q]>;
}

/** The shard says that the request is wrong, and which field. */
export class ShardRefused extends Error {
  readonly statusCode = 400;
  readonly field: string | undefined;

  constructor(message: string, field: string | undefined) {
    super(message);
    this.field = field;
  }
}

export type MissedReason = 'late' | 'busy' | 'reading' | 'moved' | 'unreachable' | 'broken';

/**
 * There is no answer of use from a shard. late: not in time; reading: it has not read all vectors yet; moved: it serves vectors
 * of another space.
 */
export class ShardMissed extends Error {
  readonly reason: MissedReason;

  constructor(reason: MissedReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
