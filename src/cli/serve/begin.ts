import { backoffMs, pause } from '../../adapters/backoff.ts';
import { ScanThreads } from '../../adapters/scan-threads/scan-threads.ts';
import type { ServedRun } from '../../compose/serve.ts';
import { RetryableError } from '../../errors/errors.ts';
import { kernelHere } from '../../kernels/select.ts';
import type { Log } from '../../log.ts';
import { Random } from '../../sampling/random.ts';
import { Clusters } from '../../serve/clusters.ts';
import { Gate } from '../../serve/gate.ts';
import { OwnScans } from '../../serve/own-scans.ts';
import { SharedPasses } from '../../serve/shared-passes.ts';

/** Edges remembered of one entity and of all entities of a graph, unless said. */
export const [EDGES_OF_ONE, EDGES] = [10_000, 100_000_000];

/** Most threads that scan. */
export const MOST_THREADS = 64;

/** What scans the tables, and keeps writes to them apart. */
export interface Scanning {
  readonly passes: SharedPasses;
  readonly gate: Gate;
  /** How many scan a table at the same time. */
  readonly scanners: number;
  stop(): Promise<void>;
}

/**
 * Scans by the faster build that this machine can run; both give the same answers. threads: 0 scans in this thread.
 * failed: told that a thread died; waitingMs: as of `SharedPasses`.
 */
export function beginScanning(threads: number, failed: (error: Error) => void, waitingMs?: number): Scanning {
  const build = kernelHere('wasm') === 'wasm-relaxed' ? 'wasm-relaxed' : 'wasm-plain';
  const scans = threads === 0 ? new OwnScans(build) : new ScanThreads({ threads, build, failed });
  const gate = new Gate();
  const clock = () => performance.now();
  const turn = () => new Promise<void>((done) => setImmediate(done));
  const passes = new SharedPasses({ scans, gate, later: setImmediate, turn, clock, waitingMs });
  return { passes, gate, scanners: Math.max(1, threads), stop: () => scans.stop() };
}

/** Clusters of targets, from samples that are drawn the same way each time. */
export function clusters(): Clusters {
  const random = Random.seeded(1);
  return new Clusters(
    setImmediate,
    () => performance.now(),
    (n) => random.below(n),
  );
}

/** Begins to read, however long the brokers are out of reach. */
export async function begin(run: ServedRun, stopping: AbortSignal, log: Log): Promise<void> {
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await run.start();
      return;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      log.warn(
        { graph: run.graph.name, code: error.code, reason: error.message },
        'the topics can not be read yet; trying again',
      );
      await pause(backoffMs(attempt), stopping);
    }
  }
}
