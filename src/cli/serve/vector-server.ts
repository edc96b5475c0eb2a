import type { LogConnection } from '../../adapters/connect.ts';
import type { HttpServer } from '../../adapters/http/guarded.ts';
import { type ServingOptions, serveVectors } from '../../adapters/http/serving.ts';
import { ServedRun } from '../../compose/serve.ts';
import type { HttpAddress } from '../../config/http-address.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import type { Log } from '../../log.ts';
import { ServingMetrics } from '../../metrics/serving.ts';
import { readServingPage } from '../../pages/page-files.ts';
import { Entities } from '../../serve/entities.ts';
import { Surfaces } from '../../serve/surfaces.ts';
import { VERSION } from '../version.ts';
import { beginScanning, clusters, type Scanning } from './begin.ts';

export interface VectorServerOptions {
  readonly connection: LogConnection;
  readonly log: Log;
  /** Most edges remembered of one user, and of all users of a graph. */
  readonly edgesOfOne: number;
  readonly edges: number;
  /** As of `ServingOptions`. */
  readonly requests?: number;
  /** Threads that scan; 0: the main thread does. */
  readonly threads: number;
  /** Told that a graph can't be followed any further, or that a thread died. */
  failed(error: Error): void;
  /** None in `twhin serve`, which is read-only. */
  readonly actions?: ServingOptions['actions'];
}

/** Graphs that are served over HTTP. It answers before anything is read; `begin` of begin.ts starts the reading of a run. */
export class VectorServer {
  readonly runs: readonly ServedRun[];
  readonly surfaces: Surfaces;
  readonly #metrics: ServingMetrics;
  readonly #scanning: Scanning;
  #server: HttpServer | undefined;

  private constructor(config: Config, graphs: readonly GraphConfig[], options: VectorServerOptions) {
    this.#metrics = new ServingMetrics(VERSION, () => this.runs.map((run) => run.snapshot()));
    const visible = (graph: string, ms: number) => this.#metrics.visible(graph, ms);
    this.#scanning = beginScanning(options.threads, options.failed);
    const { passes, gate, scanners } = this.#scanning;
    const outside = { ...options, visible, gate, scanners };
    this.runs = graphs.map((graph) => new ServedRun(config, graph, outside));
    const served = this.runs.map(({ graph }) => graph);
    this.surfaces = new Surfaces({ graphs: served, surfaces: config.surfaces, passes, clusters: clusters() });
  }

  /** Starts to listen: probes are answered while the topics are read. @throws FatalError `http-listen`. */
  static async begin(
    config: Config,
    graphs: readonly GraphConfig[],
    address: HttpAddress,
    options: VectorServerOptions,
  ): Promise<VectorServer> {
    const server = new VectorServer(config, graphs, options);
    try {
      await server.#listen(address, options);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Whether some graph can be asked, and none is still reading; one whose topics can't be read, or are empty, holds up nobody. */
  get isReady(): boolean {
    return this.runs.some((run) => run.unready().length === 0) && !this.runs.some((run) => run.isReading);
  }

  /** `http://host:port`. */
  get url(): string {
    return this.#server?.url ?? '';
  }

  /** Answers the requests in flight, then ends the reading. Idempotent. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    for (const run of this.runs) await run.stop();
    await this.#scanning.stop();
    this.#metrics.stop();
  }

  async #listen(address: HttpAddress, { log, actions, requests }: VectorServerOptions): Promise<void> {
    const { surfaces } = this;
    const metrics = this.#metrics;
    const entities = new Entities({ graphs: this.runs.map(({ graph }) => graph), random: Math.random });
    const status = () => this.runs.map((run) => run.status());
    this.#server = await serveVectors({
      ...address,
      surfaces,
      entities,
      page: await readServingPage(),
      isReady: () => this.isReady,
      status,
      metrics: { contentType: metrics.contentType, render: () => metrics.render() },
      answered: (path, code, ms) => metrics.answered(path, code, ms),
      version: VERSION,
      failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
      ...(actions && { actions }),
      ...(requests !== undefined && { requests }),
    });
  }
}
