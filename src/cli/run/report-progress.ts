import type { Log } from '../../log.ts';
import type { Progress } from '../../pipeline/progress.ts';
import type { Output } from '../output.ts';
import { describeProgress, progressFields } from '../progress-line.ts';
import type { GraphRun } from './graph-run.ts';

const LOG_PROGRESS_MS = 10_000;
const SHOW_PROGRESS_MS = 1_000;

/** Shows the runs' progress on a terminal, logs it now and then, and logs when one becomes ready or no longer is. */
export function reportProgress(runs: readonly GraphRun[], log: Log, output: Output): { stop(): void } {
  let before = new Map<string, Progress>();
  const readiness = runs.map((run) => new Readiness(run, log));
  const show = setInterval(() => {
    const now = runs.map(({ updater }) => updater.progress());
    output.status(
      now.map((each) => describeProgress(each, before.get(each.graph), SHOW_PROGRESS_MS)).join(' | '),
    );
    before = new Map(now.map((each) => [each.graph, each]));
    for (const each of readiness) void each.look();
  }, SHOW_PROGRESS_MS);
  const write = setInterval(() => {
    for (const { updater } of runs) log.info(progressFields(updater.progress()), 'progress');
  }, LOG_PROGRESS_MS);
  return {
    stop: () => {
      clearInterval(show);
      clearInterval(write);
      output.statusDone();
    },
  };
}

class Readiness {
  readonly #run: GraphRun;
  readonly #log: Log;
  #last: string | undefined;
  #looking = false;

  constructor(run: GraphRun, log: Log) {
    this.#run = run;
    this.#log = log;
  }

  /** Says what changed since the last look; one look at a time. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const reasons = await this.#run.updater.unready();
    this.#looking = false;
    const now = reasons.map((reason) => reason.replaceAll(/\d+/g, '#')).join('; ');
    if (now === this.#last) return;
    this.#last = now;
    const { graph, phase } = this.#run.updater.progress();
    if (reasons.length === 0) this.#log.info({ graph }, 'ready');
    // On its way there is nothing to be warned of.
    else this.#log[phase === 'running' ? 'warn' : 'info']({ graph, reasons }, 'not ready');
  }
}
