import { backoffMs, pause } from '../../adapters/backoff.ts';
import type { Log as EventLog } from '../../adapters/connect.ts';
import type { Configuration } from '../../config/configuration.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { HttpAddress } from '../../config/http-address.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { RetryableError } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import { both, type Measures } from '../../pipeline/measures.ts';
import { applyTopics, planTopics } from '../../pipeline/topic-plan.ts';
import { startTelemetry, type Telemetry } from '../../telemetry/start.ts';
import { progressFields } from '../progress-line.ts';
import type { Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import { GraphRun, type GraphRunOptions } from './graph-run.ts';
import { Reload } from './reload.ts';
import { reportProgress } from './report-progress.ts';
import { type Hangups, handleSignals } from './signals.ts';
import { rememberingFaults } from './watch/faults.ts';
import { Watch } from './watch/watch.ts';

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
 * Runs the graphs in this process until stopped, or until all are caught up. Reads its configuration again at each hangup.
 * @throws what stopped the first of them; the others are stopped gracefully before.
 */
export async function run(
  configuration: Configuration,
  options: RunOptions,
  surroundings: Surroundings,
  hangups: Hangups,
): Promise<void> {
  const { output, world, logging } = surroundings;
  const { config } = configuration;
  const reload = new Reload(configuration);
  const { log, faults } = rememberingFaults(surroundings.log());
  const connection = world.connect(config.kafka, (level, message) => log[level]({}, message));
  const runs: GraphRun[] = [];
  const stop = () => {
    for (const each of runs) each.stop();
  };
  const signals = handleSignals({ stopMs: () => reload.configuration.config.stopMs, stop }, log);
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
    const watching = { measuresOf, tracksOf: watch.tracksOf };
    const outside = { connection, log, openStore: world.openStore, standby, reread, ...watching };
    const inForce = () => reload.configuration;
    await openAll(
      options.graphs.map((graph) => ({ graph, configuration: inForce, outside, untilCaughtUp })),
      runs,
    );
    // A signal that came before there was anyone to stop.
    if (signals.stopping.aborted) stop();
    await watch.over(runs);
    const { reloaded: told } = watch;
    hangups.hear(() => void reload.ask({ runs, log, logging, told, stopping: signals.stopping }));
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
