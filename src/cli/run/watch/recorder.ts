import { join } from 'node:path';
import { FINE_MS, History, type Point } from '../../../dashboard/history.ts';
import type { Log } from '../../../log.ts';
import { type Disk, diskOf } from '../../../metrics/disk.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import type { Tracks } from '../../../pipeline/writing/tracks.ts';
import { restoreTracks, tracksToText } from '../../../pipeline/writing/tracks-text.ts';
import { total as totalOf } from '../../format.ts';
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

/** Records one graph's curves, and keeps them and its tracks beside its stores so that they outlive the process. */
export class Recorder {
  readonly tracks: Tracks;
  readonly #run: RunGraph;
  readonly #historyFile: KeptFile;
  readonly #tracksFile: KeptFile;
  readonly #recent: Before[] = [];
  #history = new History();
  #disk: Disk | undefined;
  #keptAt = 0;

  private constructor(run: RunGraph, tracks: Tracks, log: Log) {
    const { folder } = run.graph;
    this.#run = run;
    this.tracks = tracks;
    this.#historyFile = new KeptFile(join(folder, 'history.json'), 'the curves', log);
    this.#tracksFile = new KeptFile(join(folder, 'tracks.json'), 'the tracks of entities', log);
  }

  /** tracks: those that the graph's updaters fill. */
  static async open(run: RunGraph, tracks: Tracks, log: Log): Promise<Recorder> {
    const recorder = new Recorder(run, tracks, log);
    await recorder.#historyFile.read((text) => {
      recorder.#history = History.fromText(text);
    });
    await recorder.#tracksFile.read((text) => restoreTracks(tracks, text));
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

  /** Writes down the curves, and the tracks where there is something new. */
  async keep(): Promise<void> {
    this.#keptAt = Date.now();
    await this.#historyFile.write(this.#history.toText());
    if (!this.tracks.changed) return;
    this.tracks.changed = false;
    if (!(await this.#tracksFile.write(tracksToText(this.tracks)))) this.tracks.changed = true;
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
