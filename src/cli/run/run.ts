import { backoffMs, pause } from '../../adapters/backoff.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { HttpAddress } from '../../config/http-address.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { RetryableError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { both, type Measures } from '../../pipeline/measures.ts';
import { applyTopics, planTopics } from '../../pipeline/topic-plan.ts';
import { startTelemetry, type Telemetry } from '../../telemetry/start.ts';
import { progressFields } from '../progress-line.ts';
import type { Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import { GraphRun, type GraphRunOptions } from './graph-run.ts';
import { reportProgress } from './report-progress.ts';
import { rememberingFaults } from './watch/faults.ts';
import { Watch } from './watch/watch.ts';

const SAME_SIGNAL_MS = 300;

export interface RunOptions {
  readonly graphs: readonly GraphConfig[];
  readonly untilCaughtUp: boolean;
  readonly createTopics: boolean;
  /** Waits with its store kept warm until the graphs' groups have no other reader. */
  readonly standby: boolean;
  /** Topics that were made again, by full name: read from their start. */
  readonly reread: readonly string[];
  /** Where health and metrics are served; undefined: nowhere. */
  readonly http: HttpAddress | undefined;
}

/**
 * Runs the graphs in this process until stopped, or until all are caught up.
 * @throws what stopped the first of them; the others are stopped gracefully before.
 */
export async function run(config: Config, options: RunOptions, surroundings: Surroundings): Promise<void> {
  const { output, world } = surroundings;
  const { log, faults } = rememberingFaults(surroundings.log());
  const connection = world.connect(config.kafka, (level, message) => log[level]({}, message));
  const runs: GraphRun[] = [];
  const signals = handleSignals(() => runs, config.stopMs, log);
  let watch: Watch | undefined;
  let telemetry: Telemetry | undefined;
  try {
    // First of all: an address that can't be had is said before anything is opened, and a probe is answered meanwhile.
    const names = options.graphs.map(({ name }) => name);
    watch = await Watch.begin({ address: options.http, names, faults, log });
    if (options.createTopics) await createTopics(config, connection, signals.stopping, log);
    const { standby, reread, untilCaughtUp } = options;
    telemetry = await startTelemetry({
      ...{ settings: config.telemetry, version: VERSION, metrics: watch.metrics, env: process.env, log },
    });
    const measuresOf = bothOf(watch, telemetry);
    const told = { measuresOf, tracksOf: watch.tracksOf };
    const outside = { connection, log, openStore: world.openStore, standby, reread, ...told };
    const configWith = surroundings.config;
    await openAll(
      options.graphs.map((graph) => ({ graph, config, configWith, outside, untilCaughtUp })),
      runs,
    );
    // A signal that came before there was anyone to stop.
    if (signals.stopping.aborted) for (const each of runs) each.stop();
    await watch.over(runs);
    const reporting = reportProgress(runs, log, output);
    const ends = runs.map((each) =>
      each.run().catch((error: unknown) => {
        for (const other of runs) other.stop();
        throw error;
      }),
    );
    const results = await Promise.allSettled(ends);
    reporting.stop();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    for (const { updater } of runs) log.info(progressFields(updater.progress()), 'stopped');
  } finally {
    signals.ignore();
    await watch?.stop();
    await connection.close();
    await telemetry?.stop();
  }
}

function bothOf(watch: Watch, telemetry: Telemetry): (graph: string) => Measures {
  return (graph) => {
    const [metrics, traces] = [watch.measuresOf(graph), telemetry.measuresOf(graph)];
    return traces ? both(metrics, traces) : metrics;
  };
}

/** Makes the topics, however long the brokers are out of reach; returns early when stopped. */
async function createTopics(
  config: Config,
  connection: EventLog,
  stopping: AbortSignal,
  log: Log,
): Promise<void> {
  const admin = connection.admin();
  const declared = declaredTopics(config);
  const since = new Date().toISOString();
  for (let attempt = 1; !stopping.aborted; attempt++) {
    try {
      await applyTopics(admin, planTopics(declared, await admin.describe(declared.map(({ name }) => name))));
      return;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      log.warn(
        { brokers: config.kafka.brokers.join(','), since, attempt, reason: error.message },
        `topics can't be made at ${connection.describe} since ${since}; trying again`,
      );
      await pause(backoffMs(attempt), stopping);
    }
  }
}

/** Fills `runs`, or closes those there are when one can't be opened: their threads would keep the process alive. */
async function openAll(all: readonly GraphRunOptions[], runs: GraphRun[]): Promise<void> {
  try {
    for (const options of all) runs.push(await GraphRun.open(options));
  } catch (error) {
    await Promise.allSettled(runs.map((run) => run.close()));
    throw error;
  }
}

/** The first signal stops gracefully within the deadline; a second, or the deadline, ends the process at once. */
function handleSignals(
  runs: () => readonly GraphRun[],
  stopMs: number,
  log: Log,
): { readonly stopping: AbortSignal; ignore(): void } {
  const stopping = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  let signalled = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    // One signal to a whole process group can arrive twice: by itself and passed on by the parent.
    if (stopping.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    if (stopping.signal.aborted) process.exit(1);
    signalled = performance.now();
    stopping.abort();
    log.info(
      { signal, deadlineMs: stopMs },
      'stopping: finishing the batch, committing, publishing; again to end at once',
    );
    deadline = setTimeout(() => {
      log.error(
        { deadlineMs: stopMs },
        'not stopped within the deadline; what was not committed is read again',
      );
      process.exit(1);
    }, stopMs);
    deadline.unref();
    for (const each of runs()) each.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    stopping: stopping.signal,
    ignore: () => {
      clearTimeout(deadline);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
