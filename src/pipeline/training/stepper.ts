import type { Chunk } from '../../model/kernel.ts';

/** A chunk that a stepper steps on while the caller goes on. */
export interface Lane {
  readonly chunk: Chunk;
  /** [maxEdges] loss of each edge, both anchors together, once the step is through. */
  readonly losses: Float32Array;
  /**
   * Hands the filled chunk over: until `finish`, it is the stepper's.
   * @throws ShapeError when the chunk names rows that are none.
   */
  begin(): void;
  /**
   * Waits until the step is through.
   * @throws FatalError when the thread died or is stuck; what it left in its rows is not known.
   */
  finish(): void;
}

/** A thread that steps on the trainer's table beside the trainer's own. Its lanes are served in turn. */
export interface Stepper {
  /**
   * The lane to fill and begin next; undefined while all are in work.
   * @throws FatalError when the thread died.
   */
  take(): Lane | undefined;
  stop(): Promise<void>;
}
