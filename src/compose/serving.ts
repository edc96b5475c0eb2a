import { setTimeout as sleep } from 'node:timers/promises';
import { ScanThreads } from '../adapters/scan-threads/scan-threads.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { Random } from '../sampling/random.ts';
import { Entities } from '../serve/entities.ts';
import { clustering } from '../serve/interests.ts';
import { OwnScans, type Scans } from '../serve/looks.ts';
import { Gate, SharedPasses } from '../serve/shared-passes.ts';
import { Surfaces } from '../serve/surfaces.ts';
import { ServedRun, type ServeOptions } from './served-run.ts';

/** Edges remembered of all entities of a graph, unless said. */
export const EDGES = 100_000_000;
export const MOST_THREADS = 64;
const LOOK_MS = 100;

export interface ServingOptions extends Pick<ServeOptions, 'connection' | 'log' | 'edges'> {
  /** Threads that scan; 0: this thread does. */
  readonly threads: number;
  /** As of `SharedPasses`. */
  readonly waitingMs?: number;
  /** A vector became visible. ms: since it was written to its topic. */
  visible?(graph: string, ms: number): void;
}

/** The answers of `twhin serve` from graphs that are read, in this process. `begin` begins to read. */
export class Serving implements AsyncDisposable {
  readonly runs: readonly ServedRun[];
  readonly surfaces: Surfaces;
  readonly entities: Entities;
  /** Rejects with what ends the reading or the scanning; it never resolves. */
  readonly ended: Promise<never>;
  readonly #scans: Scans;
  readonly #failed: (error: Error) => void;
  #failure: Error | undefined;
  #stopped: Promise<void> | undefined;

  constructor(config: Config, graphs: readonly GraphConfig[], options: ServingOptions) {
    const { connection, log, edges, threads, waitingMs, visible = () => undefined } = options;
    const { promise, reject } = Promise.withResolvers<never>();
    // Nobody may be waiting when it comes.
    promise.catch(() => undefined);
    this.ended = promise;
    this.#failed = (error) => {
      this.#failure ??= error;
      reject(error);
    };
    const failed = this.#failed;
    this.#scans = threads === 0 ? new OwnScans() : new ScanThreads({ threads, failed });
    const gate = new Gate();
    const clock = () => performance.now();
    const turn = () => new Promise<void>((done) => setImmediate(done));
    const passes = new SharedPasses({
      ...{ scans: this.#scans, gate, later: setImmediate, turn, clock, waitingMs },
    });
    const outside = { connection, log, edges, gate, scanners: Math.max(1, threads), visible, failed };
    this.runs = graphs.map((graph) => new ServedRun(config, graph, outside));
    // Samples are drawn the same way each time.
    const random = Random.seeded(1);
    const centroidsOf = clustering(setImmediate, clock, (n) => random.below(n));
    this.surfaces = new Surfaces({ graphs: this.runs, surfaces: config.surfaces, passes, centroidsOf });
    this.entities = new Entities({ graphs: this.runs, random: Math.random });
  }

  /** Begins to read all graphs at the same time, however long the brokers are out of reach. */
  async begin(): Promise<void> {
    await Promise.all(this.runs.map((run) => run.start().catch(this.#failed)));
  }

  /** Why nobody should ask now, a phrase each; none once all is read. */
  unready(): readonly string[] {
    return this.runs.flatMap((run) => run.unready());
  }

  /** Whether some graph can be asked, and none is still reading; one whose topics can't be read, or are empty, holds up nobody. */
  get isReady(): boolean {
    return this.runs.some((run) => run.unready().length === 0) && !this.runs.some((run) => run.isReading);
  }

  /** Ends once all is read. look: called again and again meanwhile. @throws what ends the reading; what `look` throws. */
  async ready(look: (reasons: readonly string[]) => void = () => undefined): Promise<void> {
    for (;;) {
      this.refuseEnded();
      const reasons = this.unready();
      look(reasons);
      if (reasons.length === 0) return;
      await Promise.race([sleep(LOOK_MS), this.ended]);
    }
  }

  /** @throws what ended the reading, if something did. */
  refuseEnded(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the reading. Answers are then made of what was read. */
  async freeze(): Promise<void> {
    await Promise.all(this.runs.map((run) => run.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stopped ??= this.freeze().finally(() => this.#scans.stop());
    return this.#stopped;
  }
}
