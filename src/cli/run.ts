import { backoffMs, pause } from '../adapters/backoff.ts';
import type { Log as EventLog } from '../adapters/connect.ts';
import { declaredTopics } from '../config/declared-topics.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError, RetryableError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Progress } from '../pipeline/progress.ts';
import { applyTopics, planTopics } from '../pipeline/topic-plan.ts';
import type { Updater } from '../pipeline/updater.ts';
import { composeUpdater, type Outside } from './compose.ts';
import type { Output } from './output.ts';
import { describeProgress, progressFields } from './progress-line.ts';
import type { Surroundings } from './surroundings.ts';

const LOG_PROGRESS_MS = 10_000;
const SHOW_PROGRESS_MS = 1_000;
const SAME_SIGNAL_MS = 300;

export interface RunOptions {
  readonly graphs: readonly GraphConfig[];
  readonly untilCaughtUp: boolean;
  readonly createTopics: boolean;
}

/**
 * Runs the graphs' updaters in this process until stopped, or until all are caught up.
 * @throws what stopped the first of them; the others are stopped gracefully before.
 */
export async function run(config: Config, options: RunOptions, surroundings: Surroundings): Promise<void> {
  const { output, world } = surroundings;
  const log = surroundings.log();
  const connection = world.connect(config.kafka, (level, message) => log[level]({}, message));
  const updaters: Updater[] = [];
  const signals = handleSignals(() => updaters, config.stopMs, log);
  try {
    if (options.createTopics) await createTopics(config, connection, signals.stopping, log);
    await composeAll(config, options.graphs, { connection, log, openStore: world.openStore }, updaters);
    // A signal that came before there was anyone to stop.
    if (signals.stopping.aborted) for (const updater of updaters) updater.stop();
    const reporting = reportProgress(updaters, log, output);
    const runs = updaters.map((updater) =>
      updater.run({ untilCaughtUp: options.untilCaughtUp }).catch((error: unknown) => {
        for (const other of updaters) other.stop();
        throw error;
      }),
    );
    const results = await Promise.allSettled(runs);
    reporting.stop();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    for (const updater of updaters) log.info(progressFields(updater.progress()), 'stopped');
  } finally {
    signals.ignore();
    await connection.close();
  }
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

/** Fills `updaters`, or closes those there are when one can't be made: their threads would keep the process alive. */
async function composeAll(
  config: Config,
  graphs: readonly GraphConfig[],
  outside: Outside,
  updaters: Updater[],
): Promise<void> {
  try {
    for (const graph of graphs) updaters.push(await composeUpdater(config, graph, outside));
  } catch (error) {
    await Promise.allSettled(updaters.map((updater) => updater.close()));
    throw error;
  }
}

/** The first signal stops gracefully within the deadline; a second, or the deadline, ends the process at once. */
function handleSignals(
  updaters: () => readonly Updater[],
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
    for (const updater of updaters()) updater.stop();
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

function reportProgress(updaters: readonly Updater[], log: Log, output: Output): { stop(): void } {
  let before = new Map<string, Progress>();
  const show = setInterval(() => {
    const now = updaters.map((updater) => updater.progress());
    output.status(
      now.map((each) => describeProgress(each, before.get(each.graph), SHOW_PROGRESS_MS)).join(' | '),
    );
    before = new Map(now.map((each) => [each.graph, each]));
  }, SHOW_PROGRESS_MS);
  const write = setInterval(() => {
    for (const updater of updaters) log.info(progressFields(updater.progress()), 'progress');
  }, LOG_PROGRESS_MS);
  return {
    stop: () => {
      clearInterval(show);
      clearInterval(write);
      output.statusDone();
    },
  };
}

/** Ends a one-shot command that can't reach the log in time. */
export async function withinTime<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new FatalError('timeout', `${what}: no answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
