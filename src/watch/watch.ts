import type { HttpServer } from '../adapters/http/guarded.ts';
import type { Readiness, ReadinessReport, Status } from '../adapters/http/status.ts';
import type { HttpAddress } from '../config/environment.ts';
import { reasonOf } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { WatchedRouter } from '../metrics/families.ts';
import { Metrics } from '../metrics/metrics.ts';
import { readDashboard } from '../pages/page-files.ts';
import { VERSION } from '../version.ts';
import { FINE_MS, Recorder, RejectedShare } from './curves.ts';
import { headline } from './headline.ts';
import { type RunGraph, routerStatusOf, statusOf, watched } from './status.ts';
import { viewsOf, type WatchedRun } from './views.ts';

export interface WatchOptions {
  /** undefined: nothing is served. */
  readonly address: HttpAddress | undefined;
  /** Names of all graphs of the run, including graphs that are not open yet. */
  readonly names: readonly string[];
  readonly faults: readonly Fault[];
  /** The group of an entity, which the map shows as a colour. */
  readonly groupOf?: (entity: string) => string | undefined;
  readonly log: Log;
}

/** Watches the running graphs: keeps their curves, and serves dashboard, health and metrics. */
export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly metrics: Metrics;
  readonly #runs: WatchedRun[] = [];
  #routers: readonly { readonly router: WatchedRouter; readonly rejected: RejectedShare }[] = [];
  readonly #startedAt = Date.now();
  /** Since when each graph and each router that is not ready is not ready, epoch ms. */
  readonly #unreadySince = new Map<string, number>();
  #server: HttpServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #recording: Promise<unknown> = Promise.resolve();

  private constructor(options: WatchOptions) {
    this.#options = options;
    this.metrics = new Metrics({
      version: VERSION,
      names: options.names,
      graphs: () => this.#runs.map(({ run }) => watched(run)),
      routers: () => this.#routers.map(({ router }) => router),
      clock: Date.now,
    });
  }

  /** Starts to listen, unless there is no address. @throws FatalError `http-listen` when the address can't be used. */
  static async begin(options: WatchOptions): Promise<Watch> {
    const watch = new Watch(options);
    await watch.#serve();
    return watch;
  }

  /** URL of the dashboard; undefined: nothing is served. */
  get url(): string | undefined {
    return this.#server?.url;
  }

  /** Takes the open graphs and the routers of their events. Curves are recorded only if the dashboard is served. */
  over(runs: readonly RunGraph[], routers: readonly WatchedRouter[] = []): void {
    this.#routers = routers.map((router) => ({ router, rejected: new RejectedShare() }));
    for (const run of runs) this.#runs.push({ run, recorder: new Recorder(watched(run)) });
    if (this.#server === undefined) return;
    this.#timer = setInterval(() => {
      const before = this.#recording;
      this.#recording = before.then(() => this.#record());
    }, FINE_MS).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#recording;
    await this.#server?.stop();
  }

  async #serve(): Promise<void> {
    const { address, log, groupOf } = this.#options;
    if (address === undefined) return;
    // Loaded only where something is served: the server's packages take a tenth of a start.
    const { serveHttp } = await import('../adapters/http/server.ts');
    this.#server = await serveHttp({
      ...address,
      metrics: this.metrics,
      page: await readDashboard(),
      readiness: () => this.#readiness(),
      status: () => this.#status(),
      views: viewsOf((name) => this.#find(name), groupOf),
      failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
    });
    log.info({ url: this.#server.url }, 'serving health and metrics');
  }

  /** A failure is only logged: the graphs run without curves too. */
  async #record(): Promise<void> {
    for (const { router, rejected } of this.#routers) {
      rejected.add({ read: router.counts.records, rejected: router.rejections.total });
    }
    const taken = await Promise.allSettled(this.#runs.map(({ recorder }) => recorder.record()));
    for (const each of taken) {
      if (each.status === 'fulfilled') continue;
      this.#options.log.warn(
        { reason: reasonOf(each.reason) },
        'a point of the curves could not be recorded',
      );
    }
  }

  #find(name: string): WatchedRun | undefined {
    return this.#runs.find(({ run }) => run.graph.name === name);
  }

  async #readiness(): Promise<ReadinessReport> {
    const graphs = await Promise.all(this.#options.names.map((name) => this.#readinessOf(name)));
    return { ready: graphs.every(({ ready }) => ready), graphs };
  }

  async #readinessOf(graph: string): Promise<Readiness> {
    const run = this.#find(graph)?.run;
    if (run === undefined) return { graph, ready: false, phase: 'opening', reasons: ['it is opening'] };
    const reasons = await run.updater.unready();
    return { graph, ready: reasons.length === 0, phase: run.updater.progress().phase, reasons };
  }

  async #status(): Promise<Status> {
    const { graphs } = await this.#readiness();
    const now = Date.now();
    const open = graphs.flatMap((readiness) => {
      const found = this.#find(readiness.graph);
      if (found === undefined) return [];
      const { run, recorder } = found;
      const unreadyMs = this.#unreadyMs(readiness.graph, readiness.ready, now);
      const status = statusOf(readiness, run, recorder.disk);
      return [{ status, condition: { ...status, unreadyMs, rejectedShare: recorder.rejected.value, now } }];
    });
    const routers = this.#routers.map(({ router }) => routerStatusOf(router));
    return {
      version: VERSION,
      now,
      startedAt: this.#startedAt,
      faults: [...this.#options.faults],
      headline: headline(
        open.map(({ condition }) => condition),
        routers.map((router, at) => ({
          ...router,
          unreadyMs: this.#unreadyMs(`router of ${router.graph}`, router.ready, now),
          rejectedShare: this.#routers[at]?.rejected.value ?? 0,
        })),
      ),
      memoryBytes: process.memoryUsage.rss(),
      graphs: open.map(({ status }) => status),
      routers,
    };
  }

  /** How long something of this name has not been ready, over all looks; 0 when it is. */
  #unreadyMs(name: string, ready: boolean, now: number): number {
    if (ready) this.#unreadySince.delete(name);
    else if (!this.#unreadySince.has(name)) this.#unreadySince.set(name, now);
    return now - (this.#unreadySince.get(name) ?? now);
  }
}

const REMEMBERED = 30;
const LONGEST = 300;

type Fault = Status['faults'][number];

/** A log that keeps the newest warnings and errors for the dashboard. */
export function rememberingFaults(log: Log): { log: Log; faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const kept =
    (level: Fault['level']): Log['warn'] =>
    (fields, message) => {
      const { graph, reason, reasons } = { graph: '', reason: '', reasons: '', ...fields };
      const parts = [String(graph), message, String(reason), String(reasons)].filter((part) => part !== '');
      const text = parts.join(': ').slice(0, LONGEST);
      // A repeated fault is one entry with the newest time and text.
      const same = faults.findIndex((fault) => alike(fault.text) === alike(text));
      const [before] = same === -1 ? [] : faults.splice(same, 1);
      faults.push({ at: Date.now(), level, text, times: (before?.times ?? 0) + 1 });
      if (faults.length > REMEMBERED) faults.shift();
      log[level](fields, message);
    };
  return {
    faults,
    log: {
      debug: (fields, message) => log.debug(fields, message),
      info: (fields, message) => log.info(fields, message),
      warn: kept('warn'),
      error: kept('error'),
    },
  };
}

/** The text without the numbers, which differ between repetitions of a fault. */
function alike(text: string): string {
  return text.replaceAll(/\d+/g, '#');
}
