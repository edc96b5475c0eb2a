import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FINE_MS, History, type Point } from '../../../dashboard/history.ts';
import { reasonOf } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { diskOf } from '../../../metrics/disk.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import { writeAside } from '../../../state/places.ts';
import { total as totalOf } from '../../progress-line.ts';
import type { RunGraph } from './run-graph.ts';
import { total } from './status.ts';

const KEEP_MS = 60_000;
/** Points over which the share of rejected events is taken: five minutes. */
const RECENT = 60;

interface Before {
  readonly at: number;
  readonly progress: Progress;
}

/** Records one graph's curves, and keeps them beside its stores so that they outlive the process. */
export class Recorder {
  readonly #run: RunGraph;
  readonly #log: Log;
  readonly #recent: Before[] = [];
  #history = new History();
  #disk: { used: number; free: number } | undefined;
  #keptAt = 0;

  private constructor(run: RunGraph, log: Log) {
    this.#run = run;
    this.#log = log;
  }

  static async open(run: RunGraph, log: Log): Promise<Recorder> {
    const recorder = new Recorder(run, log);
    await recorder.#load();
    recorder.#history.started(Date.now());
    return recorder;
  }

  get history(): History {
    return this.#history;
  }

  get disk(): { used: number; free: number } | undefined {
    return this.#disk;
  }

  /** Of the events of the last minutes. */
  get rejectedShare(): number {
    const [first, last] = [this.#recent[0]?.progress.events, this.#recent.at(-1)?.progress.events];
    if (first === undefined || last === undefined || last.consumed <= first.consumed) return 0;
    return (last.rejected - first.rejected) / (last.consumed - first.consumed);
  }

  /** Takes a point of now. */
  async record(): Promise<void> {
    const { updater, graph } = this.#run;
    this.#disk = await diskOf(graph.folder);
    const now = Date.now();
    const progress = updater.progress();
    const before = this.#recent.at(-1);
    this.#history.add({ at: now, values: this.#values(progress, before, now) });
    this.#recent.push({ at: now, progress });
    if (this.#recent.length > RECENT) this.#recent.shift();
    if (now - this.#keptAt >= KEEP_MS) await this.keep();
  }

  /** Writes the curves down. */
  async keep(): Promise<void> {
    this.#keptAt = Date.now();
    try {
      await writeAside(this.#file, this.#history.toText());
    } catch (error) {
      // Curves are a comfort: a disk that takes no file says so where it counts, at the next commit.
      this.#log.debug({ reason: reasonOf(error) }, 'the curves could not be kept');
    }
  }

  get #file(): string {
    return join(this.#run.graph.folder, 'history.json');
  }

  async #load(): Promise<void> {
    try {
      this.#history = History.fromText(await readFile(this.#file, 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      this.#log.warn(
        { file: this.#file, reason: reasonOf(error) },
        'the curves before can not be read: they begin anew',
      );
    }
  }

  #values(progress: Progress, before: Before | undefined, now: number): Point['values'] {
    const lag = this.#run.updater.lag();
    // A gap, or counts of another updater, is no rate.
    const seconds = before && now - before.at < 3 * FINE_MS ? (now - before.at) / 1000 : undefined;
    const rate = (of: (progress: Progress) => number): number | undefined => {
      if (before === undefined || seconds === undefined) return undefined;
      const more = of(progress) - of(before.progress);
      return more < 0 ? undefined : more / seconds;
    };
    return {
      latencyP50Ms: progress.latencyMs.p50,
      latencyP99Ms: progress.latencyMs.p99,
      lagSeconds: lag.length === 0 ? undefined : Math.max(...lag.map((each) => each.seconds ?? 0)),
      lagRecords: lag.length === 0 ? undefined : total(lag),
      eventsPerS: rate(({ events }) => events.consumed),
      publishedPerS: rate(({ published }) => published),
      rejectedPerS: rate(({ events }) => events.rejected),
      loss: progress.loss,
      mrrKnown: progress.known?.mrr,
      mrrNew: progress.fresh?.mrr,
      mrrPopularity: progress.known?.popularityMrr,
      outbox: progress.outbox,
      entities: totalOf(progress.entities),
      edges: totalOf(progress.edges),
      memoryBytes: process.memoryUsage.rss(),
      storeBytes: this.#disk?.used,
    };
  }
}
