import type { MessagePort } from 'node:worker_threads';
import type { TablePlace, WasmBuild } from '../../../kernels/instance.ts';
import type { Workspace } from '../../../kernels/workspace.ts';
import type { ModelSettings } from '../../../model/settings.ts';

/**
 * Between trainer and stepper, by lane: four words in shared memory. The state is written last and read first, so what
 * either side wrote to the lane's workspace before is there for the other.
 *
 *     | state | edges | lhsCount | rhsCount |
 */
export const STATE = 0;
export const EDGES = 1;
export const LHS_COUNT = 2;
export const RHS_COUNT = 3;

/** The lane is the trainer's: to be filled, or its losses to be read. */
export const FREE = 0;
/** The lane is the stepper's. */
export const BEGUN = 1;
/** The lane is nobody's: the stepper ended, and said why over its port before. */
export const FAILED = 2;

/** A lane without a chunk in it. */
export function newWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer((RHS_COUNT + 1) * Int32Array.BYTES_PER_ELEMENT));
}

/** Sets a lane's state and wakes who waits for it. */
export function setState(words: Int32Array, state: number): void {
  Atomics.store(words, STATE, state);
  Atomics.notify(words, STATE);
}

/** What a stepper is made from. */
export interface StepperData {
  readonly build: WasmBuild;
  readonly table: TablePlace;
  readonly model: ModelSettings;
  /** In the order they are served. */
  readonly lanes: readonly { readonly workspace: Workspace; readonly words: Int32Array }[];
  /** Where it says why it ended. */
  readonly failures: MessagePort;
}
