import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FINE_MS, History, type Point } from '../../../dashboard/history.ts';
import { reasonOf } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { type Disk, diskOf } from '../../../metrics/disk.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import { total as totalOf } from '../../progress-line.ts';
import { KeptFile } from './kept-file.ts';
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
  readonly #historyFile: KeptFile;
  readonly #recent: Before[] = [];
  #history = new History();
  #disk: Disk | undefined;
  #keptAt = 0;

  private constructor(run: RunGraph, log: Log) {
    const { folder } = run.graph;
    this.#run = run;
    this.#historyFile = new KeptFile(join(folder, 'history.json'), 'the curves', log);
  }

  static async open(run: RunGraph, log: Log): Promise<Recorder> {
    const recorder = new Recorder(run, log);
    await recorder.#historyFile.read((text) => {
      recorder.#history = History.fromText(text);
    });
    // Earlier versions wrote the movements of entities to this file: its names may be of entities erased since.
    const old = join(run.graph.folder, 'tracks.json');
    await rm(old, { force: true }).catch((error: unknown) =>
      log.warn({ file: old, reason: reasonOf(error) }, 'a file of an earlier version could not be removed'),
    );
    recorder.#history.started(Date.now());
    return recorder;
  }

  get history(): History {
    return this.#history;
  }

  get disk(): Disk | undefined {
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

  /** Writes the curves to their file. */
  async keep(): Promise<void> {
    this.#keptAt = Date.now();
    await this.#historyFile.write(this.#history.toText());
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
      step: progress.committedStep,
    };
  }
}
