import type { HttpServer } from '../../adapters/http/guarded.ts';
import { type ServingOptions as HttpOptions, serveVectors } from '../../adapters/http/serving.ts';
import { Serving, type ServingOptions } from '../../compose/serving.ts';
import type { HttpAddress } from '../../config/environment.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { ServingMetrics } from '../../metrics/serving.ts';
import { readServingPage } from '../../pages/page-files.ts';
import { VERSION } from '../../version.ts';

/** `Serving` over HTTP. actions: none in `twhin serve`, which is read-only. */
export interface VectorServerOptions
  extends Omit<ServingOptions, 'visible'>,
    Pick<HttpOptions, 'actions' | 'requests'> {}

/** Graphs that are served over HTTP. It answers before anything is read. */
export class VectorServer implements AsyncDisposable {
  readonly serving: Serving;
  readonly #metrics: ServingMetrics;
  #server: HttpServer | undefined;

  private constructor(config: Config, graphs: readonly GraphConfig[], options: VectorServerOptions) {
    this.#metrics = new ServingMetrics(VERSION, () => this.serving.runs.map((run) => run.snapshot()));
    const visible = (graph: string, ms: number) => this.#metrics.visible(graph, ms);
    this.serving = new Serving(config, graphs, { ...options, visible });
  }

  /** Listens, and begins to read: probes are answered while the topics are read. @throws FatalError `http-listen`. */
  static async begin(
    config: Config,
    graphs: readonly GraphConfig[],
    address: HttpAddress,
    options: VectorServerOptions,
  ): Promise<VectorServer> {
    const server = new VectorServer(config, graphs, options);
    try {
      await server.#listen(address, options);
      void server.serving.begin();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `http://host:port`. */
  get url(): string {
    return this.#server?.url ?? '';
  }

  /** Answers the requests in flight, then ends the reading. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    await this.serving[Symbol.asyncDispose]();
  }

  async #listen(address: HttpAddress, { log, actions, requests }: VectorServerOptions): Promise<void> {
    const { serving } = this;
    const metrics = this.#metrics;
    this.#server = await serveVectors({
      ...address,
      surfaces: serving.surfaces,
      entities: serving.entities,
      page: await readServingPage(),
      isReady: () => serving.isReady,
      status: () => serving.runs.map((run) => run.status()),
      metrics: { contentType: metrics.contentType, render: () => metrics.render() },
      answered: (path, code, ms) => metrics.answered(path, code, ms),
      version: VERSION,
      failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
      ...(actions && { actions }),
      ...(requests !== undefined && { requests }),
    });
  }
}
