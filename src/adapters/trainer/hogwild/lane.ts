import { FatalError } from '../../../errors/errors.ts';
import { checkChunk } from '../../../kernels/chunk.ts';
import type { Chunk, Kernel } from '../../../model/kernel.ts';
import type { Table } from '../../../model/table.ts';
import type { Lane } from '../../../pipeline/training/stepper.ts';
import { BEGUN, EDGES, FAILED, FREE, LHS_COUNT, newWords, RHS_COUNT, STATE, setState } from './wire.ts';

/** A step takes milliseconds. Waited for in parts: a process that was frozen finds only one of them over. */
const WAIT_MS = 1_000;

/** The trainer's side of a lane; `worker.ts` is the other. */
export class SharedLane implements Lane {
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly words = newWords();
  readonly #table: Table;
  /** Seconds that a step may take. */
  readonly #patience: number;
  readonly #whyEnded: () => FatalError;

  constructor(options: {
    on: Pick<Kernel, 'chunk' | 'losses'>;
    table: Table;
    patience: number;
    whyEnded: () => FatalError;
  }) {
    this.chunk = options.on.chunk;
    this.losses = options.on.losses;
    this.#table = options.table;
    this.#patience = options.patience;
    this.#whyEnded = options.whyEnded;
  }

  get free(): boolean {
    return this.#state() === FREE;
  }

  begin(): void {
    checkChunk(this.chunk, this.#table);
    this.words[EDGES] = this.chunk.edges;
    this.words[LHS_COUNT] = this.chunk.lhsCount;
    this.words[RHS_COUNT] = this.chunk.rhsCount;
    setState(this.words, BEGUN);
  }

  finish(): void {
    for (let waited = 0; this.#state() === BEGUN; waited++) {
      if (waited === this.#patience) {
        throw new FatalError(
          'stepper-stuck',
          `a training thread did not end a step in ${waited} s; start again from the stored state`,
        );
      }
      Atomics.wait(this.words, STATE, BEGUN, WAIT_MS);
    }
  }

  /** @throws FatalError when the stepper ended. */
  #state(): number {
    const state = Atomics.load(this.words, STATE);
    if (state === FAILED) throw this.#whyEnded();
    return state;
  }
}
