import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FINE_MS, History, type Point } from '../../../dashboard/history.ts';
import { reasonOf } from '../../../errors/errors.ts';
import type { Log } from '../../../log.ts';
import { type Disk, diskOf, type WatchedGraph } from '../../../metrics/graph.ts';
import type { Progress } from '../../../pipeline/progress.ts';
import { writeAside } from '../../../state/places.ts';
import { total } from '../../format.ts';
import { RejectedShare } from './rejected-share.ts';
import { recordsOf } from './status.ts';

const KEEP_MS = 60_000;

interface Before {
  readonly at: number;
  readonly progress: Progress;
}

/** Records one graph's curves, and keeps them in a file beside the stores so that they survive a restart. */
export class Recorder {
  readonly #graph: Pick<WatchedGraph, 'folder' | 'progress' | 'lag'>;
  readonly #file: string;
  readonly #log: Log;
  readonly #rejected = new RejectedShare();
  #before: Before | undefined;
  #history = new History();
  #disk: Disk | undefined;
  #keptAt = 0;

  private constructor(graph: Pick<WatchedGraph, 'folder' | 'progress' | 'lag'>, log: Log) {
    this.#graph = graph;
    this.#file = join(graph.folder, 'history.json');
    this.#log = log;
  }

  static async open(graph: Pick<WatchedGraph, 'folder' | 'progress' | 'lag'>, log: Log): Promise<Recorder> {
    const recorder = new Recorder(graph, log);
    await recorder.#read();
    // Earlier versions wrote the movements of entities to this file: its names may be of entities erased since.
    const old = join(graph.folder, 'tracks.json');
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

  /** Share of the events of the last five minutes. */
  get rejectedShare(): number {
    return this.#rejected.value;
  }

  /** Adds a point of this moment to the curves. */
  async record(): Promise<void> {
    this.#disk = await diskOf(this.#graph.folder);
    const now = Date.now();
    const progress = this.#graph.progress();
    this.#history.add({ at: now, values: this.#values(progress, this.#before, now) });
    this.#before = { at: now, progress };
    const { consumed: read, rejected } = progress.events;
    this.#rejected.add({ read, rejected });
    if (now - this.#keptAt >= KEEP_MS) await this.keep();
  }

  /** Writes the curves to their file. A failure is no error: a full disk shows where it matters, at the next commit. */
  async keep(): Promise<void> {
    this.#keptAt = Date.now();
    await writeAside(this.#file, this.#history.toText()).catch((error: unknown) =>
      this.#log.debug({ reason: reasonOf(error) }, 'the curves could not be written'),
    );
  }

  async #read(): Promise<void> {
    try {
      this.#history = History.fromText(await readFile(this.#file, 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
      const fields = { file: this.#file, reason: reasonOf(error) };
      this.#log.warn(fields, 'the curves of the last run can not be read: new curves begin');
    }
  }

  #values(progress: Progress, before: Before | undefined, now: number): Point['values'] {
    const lag = this.#graph.lag();
    // A rate over a gap, or over the counts of another updater, would be wrong.
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
      lagRecords: lag.length === 0 ? undefined : recordsOf(lag),
      eventsPerS: rate(({ events }) => events.consumed),
      publishedPerS: rate(({ published }) => published),
      rejectedPerS: rate(({ events }) => events.rejected),
      loss: progress.loss,
      mrrKnown: progress.known?.mrr,
      mrrNew: progress.fresh?.mrr,
      mrrPopularity: progress.known?.popularityMrr,
      outbox: progress.outbox,
      entities: total(progress.entities),
      edges: total(progress.edges),
      memoryBytes: process.memoryUsage.rss(),
      storeBytes: this.#disk?.used,
      step: progress.committedStep,
    };
  }
}
