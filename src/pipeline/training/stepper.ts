import type { Chunk } from '../../model/kernel.ts';

/** A chunk that a stepper works on while the caller goes on. */
export interface Lane {
  readonly chunk: Chunk;
  /** [maxEdges] loss of each edge, both anchors together, after the step. */
  readonly losses: Float32Array;
  /**
   * Hands over the filled chunk: it is the stepper's until `finish`.
   * @throws ShapeError when the chunk names rows outside of the table.
   */
  begin(): void;
  /**
   * Waits until the step is done, and computes parts of steps meanwhile.
   * @throws FatalError when the thread died or is stuck; the contents of its rows are not known then.
   */
  finish(): void;
}

/** A thread that steps on the trainer's table beside the trainer's own thread. Its lanes are served in turn. */
export interface Stepper {
  /** The lane to fill and begin next; undefined while all lanes are at work. @throws FatalError when the thread died. */
  take(): Lane | undefined;
  stop(): Promise<void>;
}
