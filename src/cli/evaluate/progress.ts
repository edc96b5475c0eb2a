import { setImmediate as breathe } from 'node:timers/promises';
import type { Replaying } from '../../compose/replay.ts';
import { RetryableError } from '../../errors/errors.ts';
import type { Stretch } from '../../pipeline/ports.ts';
import { ProgressMeter } from '../../replay/progress.ts';
import type { CommandContext } from '../context.ts';
import { count, duration } from '../format.ts';
import { reportReplay } from '../replay/progress.ts';
import type { Signals } from '../signals.ts';

const LOG_MS = 10_000;

/** Says how far an evaluation is: on a terminal all the time, in the log every ten seconds. Ends it after a signal. */
export class EvaluationProgress {
  readonly #graph: string;
  readonly #signals: Signals;
  readonly #context: Pick<CommandContext, 'output' | 'log'>;
  #logged = performance.now();

  constructor(graph: string, signals: Signals, context: Pick<CommandContext, 'output' | 'log'>) {
    this.#graph = graph;
    this.#signals = signals;
    this.#context = context;
  }

  /**
   * Reports on work of which the whole is known, such as lists ranked; other work of the process gets its turn.
   * Awaiting the report throws as `checkInterrupted` does.
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
    this.checkInterrupted();
  }

  /** Trains to the end of a range. @throws as `checkInterrupted`; the store then stands at its last commit. */
  train(replaying: Replaying, range: readonly Stretch[], fields: object): Promise<void> {
    return this.trainTogether([replaying], range, fields);
  }

  /** Trains the shards of a graph, or a whole one, to the end of a range. Where one fails, all end. */
  async trainTogether(
    replaying: readonly Replaying[],
    range: readonly Stretch[],
    fields: object,
  ): Promise<void> {
    const abandon = () => {
      for (const { updater } of replaying) updater.abandon();
    };
    const { updater, merged } = replaying[0]!;
    this.#signals.stopping.addEventListener('abort', abandon);
    if (this.#signals.interrupted()) abandon();
    const meter = new ProgressMeter(range, (stretch) => merged.reached(stretch), Date.now);
    const { output } = this.#context;
    const reporting = reportReplay(meter, () => updater.progress().phase, fields, {
      log: this.#context.log(),
      output,
    });
    try {
      const runs = replaying.map((each) => each.updater.run({ untilCaughtUp: true }));
      for (const run of runs) run.catch(abandon);
      await Promise.all(runs);
    } finally {
      reporting.stop();
      this.#signals.stopping.removeEventListener('abort', abandon);
    }
    this.checkInterrupted();
  }

  /** @throws RetryableError `evaluation-interrupted` once a signal has come. */
  checkInterrupted(): void {
    if (!this.#signals.interrupted()) return;
    throw new RetryableError(
      'evaluation-interrupted',
      'the evaluation was interrupted; its temporary store is removed, and nothing else was written',
    );
  }
}
