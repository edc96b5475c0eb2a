import type { MessagePort } from 'node:worker_threads';
import { FatalError } from '../../../errors/errors.ts';
import { checkChunk } from '../../../kernels/chunk.ts';
import type { TablePlace } from '../../../kernels/instance.ts';
import type { Workspace } from '../../../kernels/workspace.ts';
import type { Chunk, Kernel, WasmKernelName } from '../../../model/kernel.ts';
import type { ModelSettings } from '../../../model/settings.ts';
import type { Table } from '../../../model/table.ts';
import type { Lane } from '../../../pipeline/training/stepper.ts';

/**
 * The words of a lane, in memory that trainer and stepper share. Each side writes the state last and reads the state
 * first, so that it sees what the other side wrote to the lane's workspace before.
 *
 *     | state | edges | lhsCount | rhsCount | learning rate, float64 |
 */
export const [STATE, EDGES, LHS_COUNT, RHS_COUNT] = [0, 1, 2, 3] as const;
const RATE_OFFSET = 4 * Int32Array.BYTES_PER_ELEMENT;

/** The trainer owns the lane: it fills the chunk or reads the losses. Until the stepper has started, a lane is 0 and the stepper's. */
export const FREE = 1;
/** The stepper owns the lane. */
export const BEGUN = 2;
/** Nobody owns the lane: the stepper has ended, after sending the reason over its port. */
export const FAILED = 3;

/** How often a thread looks before it sleeps. Most of the several waits of a step are shorter than a sleep and its end. */
const LOOKS = 3_000;
/** A step takes milliseconds. The wait has parts because a process that was frozen finds only one of them elapsed. */
const WAIT_MS = 1_000;

/**
 * The words of a stepper, in memory that both share. EVENTS rises with each thing that the trainer may wait for: a side that is open, or a lane
 * that is free where no chunk follows. SIDE is the second side of the step under way, which one of the two threads computes.
 *
 *     | events | side |
 */
export const [EVENTS, SIDE] = [0, 1] as const;

/** Nobody may take a side. One that is open for whoever comes first is 1 + the number of its lane. */
export const NO_SIDE = 0;
/** The trainer computes the side. */
export const HELPED = -1;
/** The trainer has computed it. */
export const COMPARED = -2;

/** Sets a lane's state and wakes the other side. */
export function setState(words: Int32Array, state: number): void {
  Atomics.store(words, STATE, state);
  Atomics.notify(words, STATE);
}

/** Notes an event, and wakes the trainer where it waits for one. stepper: its words. */
export function tell(stepper: Int32Array): void {
  Atomics.add(stepper, EVENTS, 1);
  Atomics.notify(stepper, EVENTS);
}

/** Waits while the word has this value, and sleeps for `ms` at most. Gives false where the sleep ran out. */
export function waitWhile(words: Int32Array, at: number, value: number, ms?: number): boolean {
  for (let looks = 0; looks < LOOKS; looks++) if (Atomics.load(words, at) !== value) return true;
  return Atomics.wait(words, at, value, ms) !== 'timed-out';
}

/** The learning rate of a lane's chunk: a view of one number in the lane's words. */
export function rateIn(words: Int32Array): Float64Array {
  return new Float64Array(words.buffer, RATE_OFFSET, 1);
}

/** What a stepper's thread is started with. */
export interface StepperData {
  readonly name: WasmKernelName;
  readonly table: TablePlace;
  readonly model: ModelSettings;
  /** In the order in which the stepper serves them. */
  readonly lanes: readonly { readonly workspace: Workspace; readonly words: Int32Array }[];
  readonly words: Int32Array;
  /** The scratch in which the trainer computes a side. */
  readonly helping: Workspace['scratch'];
  /** [1] processor time of the thread by its last step, ms; in memory that trainer and stepper share. */
  readonly cpuMs: Float64Array;
  /** Where the stepper sends the error that ended it. */
  readonly failures: MessagePort;
}

/** A stepper as its lanes see it. */
interface LaneStepper {
  readonly table: Table;
  readonly words: Int32Array;
  readonly stepLimitS: number;
  /** Computes the side that is open; false where none is. */
  help(): boolean;
  whyEnded(): FatalError;
}

/** The trainer's side of a lane; the other side is `worker.ts`. */
export class SharedLane implements Lane {
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly words = new Int32Array(new SharedArrayBuffer(RATE_OFFSET + Float64Array.BYTES_PER_ELEMENT));
  readonly #rate = rateIn(this.words);
  readonly #stepper: LaneStepper;

  constructor({ chunk, losses }: Pick<Kernel, 'chunk' | 'losses'>, stepper: LaneStepper) {
    this.chunk = chunk;
    this.losses = losses;
    this.#stepper = stepper;
  }

  get free(): boolean {
    return this.#state() === FREE;
  }

  begin(): void {
    checkChunk(this.chunk, this.#stepper.table);
    this.words[EDGES] = this.chunk.edges;
    this.words[LHS_COUNT] = this.chunk.sides.lhs.count;
    this.words[RHS_COUNT] = this.chunk.sides.rhs.count;
    this.#rate[0] = this.chunk.learningRate;
    setState(this.words, BEGUN);
  }

  finish(): void {
    const { words, stepLimitS, help } = this.#stepper;
    for (let waited = 0; ; ) {
      const seen = Atomics.load(words, EVENTS);
      // Helping first: the stepper waits for it, and not for the next chunk.
      if (help()) continue;
      if (this.#state() !== BEGUN) return;
      if (waited === stepLimitS) {
        throw new FatalError(
          'thread',
          `a training thread did not end a step in ${waited} s; start again from the stored state`,
        );
      }
      if (!waitWhile(words, EVENTS, seen, WAIT_MS)) waited++;
    }
  }

  /** @throws FatalError when the stepper ended. */
  #state(): number {
    const state = Atomics.load(this.words, STATE);
    if (state === FAILED) throw this.#stepper.whyEnded();
    return state;
  }
}
