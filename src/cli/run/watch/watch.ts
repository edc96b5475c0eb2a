import { type HttpServer, serveHttp } from '../../adapters/http/server.ts';
import type { GraphStatus, Readiness, ReadinessReport, Status } from '../../adapters/http/status.ts';
import type { HttpAddress } from '../../config/http-address.ts';
import { fingerprint } from '../../graph/head.ts';
import type { Log } from '../../log.ts';
import type { WatchedGraph } from '../../metrics/graph.ts';
import { Metrics } from '../../metrics/metrics.ts';
import type { Measures } from '../../pipeline/measures.ts';
import { VERSION } from '../version.ts';
import type { GraphRun } from './graph-run.ts';

export interface Watch {
  measuresOf(graph: string): Measures;
  /** Where it is served; undefined: nowhere. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

/**
 * Watches over the graphs that are run, and serves what it sees. names: of all that are to be run, those not yet open
 * included; runs: those that are open by now.
 */
export async function watch(
  address: HttpAddress | undefined,
  names: readonly string[],
  runs: () => readonly GraphRun[],
  log: Log,
): Promise<Watch> {
  const metrics = new Metrics({
    version: VERSION,
    graphs: () => runs().map(watched),
    clock: Date.now,
  });
  const measuresOf = (graph: string) => metrics.measuresOf(graph);
  let server: HttpServer | undefined;
  try {
    server = address && (await serve(address, metrics, names, runs, log));
  } catch (error) {
    metrics.stop();
    throw error;
  }
  return {
    measuresOf,
    url: server?.url,
    stop: async () => {
      metrics.stop();
      await server?.stop();
    },
  };
}

async function serve(
  address: HttpAddress,
  metrics: Metrics,
  names: readonly string[],
  runs: () => readonly GraphRun[],
  log: Log,
): Promise<HttpServer> {
  const readinessOf = async (name: string): Promise<Readiness> => {
    const run = runs().find(({ graph }) => graph.name === name);
    if (run === undefined) return { graph: name, ready: false, phase: 'opening', reasons: ['it is opening'] };
    const reasons = await run.updater.unready();
    return { graph: name, ready: reasons.length === 0, phase: run.updater.progress().phase, reasons };
  };
  const readiness = async (): Promise<ReadinessReport> => {
    const graphs = await Promise.all(names.map(readinessOf));
    return { ready: graphs.every(({ ready }) => ready), graphs };
  };
  return serveHttp({
    ...address,
    metrics,
    readiness,
    status: async (): Promise<Status> => {
      const { graphs } = await readiness();
      return {
        version: VERSION,
        now: Date.now(),
        graphs: graphs.flatMap((each) => {
          const run = runs().find(({ graph }) => graph.name === each.graph);
          return run ? [statusOf(each, run)] : [];
        }),
      };
    },
    failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
  });
}

function watched(run: GraphRun): WatchedGraph {
  const { graph } = run;
  return {
    name: graph.name,
    kernel: graph.trainer.kernel,
    fingerprint: fingerprint(graph.model),
    maxRows: graph.trainer.maxRows,
    folder: graph.folder,
    progress: () => run.updater.progress(),
    lag: () => run.updater.lag(),
    unready: () => run.updater.unready(),
  };
}

function statusOf(readiness: Readiness, { updater }: GraphRun): GraphStatus {
  const progress = updater.progress();
  const { events, rejectedBy, entities, edges, step, published, outbox, latencyMs, commits } = progress;
  return {
    ...readiness,
    ...{
      events,
      rejectedBy: { ...rejectedBy },
      entities,
      edges,
      step,
      published,
      outbox,
      latencyMs,
      commits,
    },
    lag: updater.lag().map((lag) => ({ ...lag })),
    loss: progress.lossByRelation,
    quality: { known: progress.knownByRelation, new: progress.freshByRelation },
    committedAt: progress.committedAt,
  };
}
