import type { HttpServer } from '../../../adapters/http/guarded.ts';
import { serveRouting } from '../../../adapters/http/server.ts';
import type { HttpAddress } from '../../../config/http-address.ts';
import type { Log } from '../../../log.ts';
import { Metrics } from '../../../metrics/metrics.ts';
import { VERSION } from '../../version.ts';
import { routerStatusOf, type WatchedStage, watchedRouter } from './router-status.ts';

export interface RoutingWatchOptions {
  /** undefined: nothing is served. */
  readonly address: HttpAddress | undefined;
  /** Names of the graphs whose events are to be routed. */
  readonly names: readonly string[];
  readonly log: Log;
}

/** Watches a process that only routes: serves its health, metrics and status. */
export class RoutingWatch {
  readonly metrics: Metrics;
  readonly #names: readonly string[];
  readonly #startedAt = Date.now();
  #stages: readonly WatchedStage[] = [];
  #server: HttpServer | undefined;

  private constructor(names: readonly string[]) {
    this.#names = names;
    this.metrics = new Metrics({
      version: VERSION,
      names: [],
      graphs: () => [],
      routers: () => this.#stages.map(watchedRouter),
      clock: Date.now,
    });
  }

  /** Starts to listen, unless there is no address. @throws FatalError `http-listen` when the address can't be used. */
  static async begin({ address, names, log }: RoutingWatchOptions): Promise<RoutingWatch> {
    const watch = new RoutingWatch(names);
    try {
      if (address !== undefined) await watch.#serve(address, log);
      return watch;
    } catch (error) {
      watch.metrics.stop();
      throw error;
    }
  }

  /** Takes the open stages. */
  over(stages: readonly WatchedStage[]): void {
    this.#stages = stages;
  }

  async stop(): Promise<void> {
    this.metrics.stop();
    await this.#server?.stop();
  }

  async #serve(address: HttpAddress, log: Log): Promise<void> {
    this.#server = await serveRouting({
      ...address,
      metrics: this.metrics,
      readiness: async () => {
        const graphs = this.#names.map((name) => this.#readinessOf(name));
        return { ready: graphs.every(({ ready }) => ready), graphs };
      },
      status: () => ({
        version: VERSION,
        now: Date.now(),
        startedAt: this.#startedAt,
        memoryBytes: process.memoryUsage.rss(),
        routers: this.#stages.map(routerStatusOf),
      }),
      failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
    });
    log.info({ url: this.#server.url }, 'serving health and metrics');
  }

  #readinessOf(graph: string) {
    const stage = this.#stages.find((each) => each.graph === graph);
    if (stage === undefined) return { graph, ready: false, phase: 'opening', reasons: ['it is opening'] };
    const { ready, phase, reasons } = routerStatusOf(stage);
    return { graph, ready, phase, reasons };
  }
}
