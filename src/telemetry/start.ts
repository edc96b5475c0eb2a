import { FatalError, reasonOf } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { Measures } from '../pipeline/measures.ts';
import { CommitSpans, type StartSpan } from './commit-spans.ts';
import { type Exportable, exportMetrics } from './exported-metrics.ts';

const NAME = 'twhin-stream';
/** What it fails at again and again is said at most so often. */
const SAY_EVERY_MS = 60_000;
/** A collector that does not answer holds a stop up no longer than this. */
const STOP_MS = 3_000;
const END_MS = 500;

/** Which signals OpenTelemetry is to send; where, how and how often is its own to read from `OTEL_*`. */
export interface TelemetrySettings {
  readonly traces: boolean;
  readonly metrics: boolean;
}

export interface Telemetry {
  /** What a graph's updater is to be given besides; undefined: there is nothing to tell. */
  measuresOf(graph: string): Measures | undefined;
  /** Sends what is left. The last thing that a process does. */
  stop(): Promise<void>;
}

export interface TelemetryOptions {
  /** undefined: nothing is sent, and nothing of OpenTelemetry is loaded. */
  readonly settings: TelemetrySettings | undefined;
  readonly version: string;
  readonly metrics: Exportable;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/** Loads OpenTelemetry where it is asked for. @throws FatalError `telemetry` where it is not installed. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { settings, version, env, log } = options;
  if (settings === undefined) return { measuresOf: () => undefined, stop: async () => undefined };
  const { api, NodeSDK } = await load();
  api.diag.setLogger(saidSeldom(log), api.DiagLogLevel.WARN);
  const named =
    env['OTEL_SERVICE_NAME'] || /(^|,)\s*service\.name=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  const sdk = new NodeSDK({
    ...(!named && { serviceName: NAME }),
    // What is not said here it reads from the environment.
    ...(!settings.traces && { spanProcessors: [] }),
    ...(!settings.metrics && { metricReaders: [] }),
    ...{ logRecordProcessors: [], instrumentations: [] },
  });
  sdk.start();
  const tracer = api.trace.getTracer(NAME, version);
  const start: StartSpan = (name, startTime, attributes, parent) => {
    const context = parent ? api.trace.setSpan(api.ROOT_CONTEXT, parent) : api.ROOT_CONTEXT;
    return tracer.startSpan(name, { startTime, attributes }, context);
  };
  if (settings.metrics) await exportMetrics(api.metrics.getMeter(NAME, version), options.metrics);
  log.info(settings, 'sending to OpenTelemetry');
  const spans = new Map<string, CommitSpans>();
  return {
    measuresOf: (graph) => {
      if (!settings.traces) return undefined;
      // A graph has another updater after a promotion.
      spans.get(graph)?.close();
      const made = new CommitSpans(graph, start, Date.now);
      spans.set(graph, made);
      return made;
    },
    stop: async () => {
      for (const each of spans.values()) each.close();
      await stopWithin(sdk.shutdown(), log);
    },
  };
}

async function load() {
  try {
    const [api, { NodeSDK }] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-node'),
    ]);
    return { api, NodeSDK };
  } catch (error) {
    throw new FatalError(
      'telemetry',
      `an OTEL_ variable asks for OpenTelemetry, which can't be loaded (${reasonOf(error)}): ` +
        'npm install @opentelemetry/api @opentelemetry/sdk-node, or set OTEL_SDK_DISABLED=true',
      { cause: error },
    );
  }
}

async function stopWithin(stopping: Promise<void>, log: Log): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer within ${STOP_MS / 1000} s`), STOP_MS);
  const ended = await Promise.race([stopping.catch(reasonOf), late]).finally(() => clearTimeout(timer));
  if (ended === undefined) return;
  log.warn({ reason: ended }, 'the last traces and metrics could not be sent');
  // What it still waits for keeps the process alive, which has nothing else to do by now.
  setTimeout(() => process.exit(), END_MS).unref();
}

/** OpenTelemetry's own complaints, in our log. */
function saidSeldom(log: Log) {
  let last = Number.NEGATIVE_INFINITY;
  const say = (message: string) => {
    if (Date.now() - last < SAY_EVERY_MS) return;
    last = Date.now();
    log.warn({ reason: shortened(message) }, 'OpenTelemetry has trouble');
  };
  const nothing = () => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}

/** It says errors as JSON, stack and all. */
function shortened(text: string): string {
  const [, message] = /"message":("(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  return String(message === undefined ? text : JSON.parse(message)).slice(0, 500);
}
