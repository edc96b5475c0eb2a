import { setImmediate as breathe } from 'node:timers/promises';
import type { EvaluationProgress } from '../../compose/evaluation.ts';
import { type Replaying, trainToEnd } from '../../compose/replay.ts';
import type { Stretch } from '../../pipeline/ports.ts';
import type { CommandContext } from '../context.ts';
import { count, duration } from '../format.ts';
import { replayTeller } from '../replay/progress.ts';

const LOG_MS = 10_000;

/** Says how far an evaluation is: on a terminal all the time, in the log every ten seconds. Ends it after a signal. */
export class SignalledProgress implements EvaluationProgress {
  readonly #graph: string;
  readonly #context: Pick<CommandContext, 'output' | 'log' | 'stopping'>;
  #logged = performance.now();

  constructor(graph: string, context: Pick<CommandContext, 'output' | 'log' | 'stopping'>) {
    this.#graph = graph;
    this.#context = context;
  }

  /**
   * Reports on work of which the whole is known, such as lists ranked; other work of the process gets its turn.
   * Awaiting the report throws once a signal has come.
   */
  meter(what: string): (done: number, of: number) => Promise<void> {
    const started = performance.now();
    return (done, of) => {
      const leftMs = ((performance.now() - started) / done) * (of - done);
      return this.turn(`${what}: ${count(done)} of ${count(of)}, ${duration(leftMs)} to go`);
    };
  }

  /** Reports, and gives other work of the process its turn. */
  async turn(status: string): Promise<void> {
    this.#context.output.status(`${this.#graph}: ${status}`);
    const now = performance.now();
    if (now - this.#logged >= LOG_MS) {
      this.#logged = now;
      this.#context.log().info({ graph: this.#graph }, status);
    }
    await breathe();
    this.#context.stopping.throwIfAborted();
  }

  /** Trains to the end of a range. @throws RetryableError `interrupted`; the store then stands at its last commit. */
  async train(replaying: Replaying, range: readonly Stretch[], fields: object): Promise<void> {
    const { output, stopping } = this.#context;
    const tell = replayTeller(fields, { log: this.#context.log(), output });
    await trainToEnd([replaying], range, { stopping, tell });
    output.statusDone();
    stopping.throwIfAborted();
  }
}
