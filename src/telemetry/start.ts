import type { Histogram, Meter, Observable } from '@opentelemetry/api';
import { FatalError, reasonOf } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { Histograms } from '../metrics/histograms.ts';
import type { MetricValues } from '../metrics/metrics.ts';
import type { Measures } from '../pipeline/measures.ts';
import { CommitSpans, type StartSpan } from './commit-spans.ts';

const NAME = 'twhin-stream';
/** Minimum time between two logged complaints of OpenTelemetry. */
const SAY_EVERY_MS = 60_000;
/** Maximum time that a collector without an answer delays a stop. */
const STOP_MS = 3_000;
const END_MS = 500;

/** Which signals are sent. OpenTelemetry itself reads destination, protocol and interval from `OTEL_*`. */
export interface TelemetrySettings {
  readonly traces: boolean;
  readonly metrics: boolean;
}

/** Metrics to export: values that are read on demand, and histograms that pass on each value. */
export interface Exportable {
  readonly histograms: Pick<Histograms, 'all' | 'onValue'>;
  values(): Promise<readonly MetricValues[]>;
}

export interface Telemetry {
  /** Additional measures for a graph's updater; undefined: no traces are sent. */
  measuresOf(graph: string): Measures | undefined;
  /** Sends the remaining traces and metrics. Must be the last step of the process. */
  stop(): Promise<void>;
}

export interface TelemetryOptions {
  /** undefined: nothing is sent, and OpenTelemetry is not loaded. */
  readonly settings: TelemetrySettings | undefined;
  readonly version: string;
  readonly metrics: Exportable;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

/** Loads and starts OpenTelemetry if there are settings. @throws FatalError `telemetry` if it is not installed. */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { settings, version, env, log } = options;
  if (settings === undefined) return { measuresOf: () => undefined, stop: async () => undefined };
  const { api, NodeSDK } = await load();
  api.diag.setLogger(diagnosticLog(log), api.DiagLogLevel.WARN);
  const named =
    env['OTEL_SERVICE_NAME'] || /(^|,)\s*service\.name=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  const sdk = new NodeSDK({
    ...(!named && { serviceName: NAME }),
    // OpenTelemetry reads all other options from the environment.
    ...(!settings.traces && { spanProcessors: [] }),
    ...(!settings.metrics && { metricReaders: [] }),
    logRecordProcessors: [],
    instrumentations: [],
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
      // A promotion gives a graph another updater.
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

/** Adds every metric of the process to a meter, with the same name, labels, unit and bounds. */
async function exportMetrics(meter: Meter, metrics: Exportable): Promise<void> {
  exportHistograms(meter, metrics.histograms);
  const observables = new Map<string, Observable>();
  for (const { name, help, type } of await metrics.values()) {
    const options = { description: help, unit: unitOf(name) };
    if (type === 'counter') observables.set(name, meter.createObservableCounter(name, options));
    if (type === 'gauge') observables.set(name, meter.createObservableGauge(name, options));
  }
  meter.addBatchObservableCallback(
    async (result) => {
      for (const { name, values } of await metrics.values()) {
        const observable = observables.get(name);
        if (observable === undefined) continue;
        for (const { labels, value } of values) result.observe(observable, value, labels);
      }
    },
    [...observables.values()],
  );
}

function exportHistograms(meter: Meter, histograms: Exportable['histograms']): void {
  const byName = new Map<string, Histogram>(
    histograms.all.map(({ name, help, buckets }) => [
      name,
      meter.createHistogram(name, {
        description: help,
        unit: unitOf(name),
        advice: { explicitBucketBoundaries: [...buckets] },
      }),
    ]),
  );
  histograms.onValue((name, labels, value) => byName.get(name)?.record(value, labels));
}

/** The unit's UCUM code. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 's';
  return name.endsWith('_bytes') ? 'By' : '1';
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
  // OpenTelemetry's open requests would keep the process alive, which has no other work left.
  setTimeout(() => process.exit(), END_MS).unref();
}

/** Writes OpenTelemetry's complaints to our log, at most one a minute. */
function diagnosticLog(log: Log) {
  let last = Number.NEGATIVE_INFINITY;
  const say = (message: string) => {
    if (Date.now() - last < SAY_EVERY_MS) return;
    last = Date.now();
    log.warn({ reason: shortened(message) }, 'OpenTelemetry has trouble');
  };
  const nothing = () => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}

/** The message of an error that OpenTelemetry prints as JSON with its stack. */
function shortened(text: string): string {
  const [, message] = /"message":("(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  return String(message === undefined ? text : JSON.parse(message)).slice(0, 500);
}
