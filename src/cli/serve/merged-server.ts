import { pause } from '../../adapters/backoff.ts';
import type { HttpServer } from '../../adapters/http/guarded.ts';
import { serveMerged } from '../../adapters/http/merging.ts';
import { type HttpShardLink, shardLinks } from '../../adapters/http/shards.ts';
import type { HttpAddress } from '../../config/http-address.ts';
import type { Log } from '../../log.ts';
import { MergingMetrics } from '../../metrics/merging.ts';
import { readServingPage } from '../../pages/page-files.ts';
import { Merged } from '../../serve/merged.ts';
import { VERSION } from '../version.ts';

/** How often shards are asked how they are, and how long they may take to say it. */
const [LOOK_MS, LOOK_TIMEOUT_MS] = [1_000, 2_000];

export interface MergedServerOptions {
  readonly address: HttpAddress;
  /** `http://host:port` of each shard. */
  readonly shards: readonly string[];
  readonly deadlineMs: number;
  /** Most ads of one advertiser in a list. */
  readonly adsOfOne: number;
  readonly log: Log;
}

/** Lists merged from several processes, over HTTP. It reads no topic. */
export class MergedServer {
  readonly #links: readonly HttpShardLink[];
  readonly #merged: Merged;
  readonly #metrics: MergingMetrics;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #server: HttpServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #said: string | undefined;

  private constructor({ shards, deadlineMs, adsOfOne, log }: MergedServerOptions) {
    this.#log = log;
    this.#links = shardLinks(shards);
    this.#metrics = new MergingMetrics(VERSION, () => this.#merged.shards.reports(), Date.now);
    this.#merged = new Merged({
      links: this.#links,
      deadlineMs,
      adsOfOne,
      clock: () => performance.now(),
      pause,
      random: Math.random,
      now: Date.now,
      missed: (url, reason) => this.#metrics.missed(url, reason),
      partial: () => this.#metrics.partial(),
    });
  }

  /** @throws FatalError `http-listen`. */
  static async begin(options: MergedServerOptions): Promise<MergedServer> {
    const server = new MergedServer(options);
    try {
      await server.#listen(options);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** `http://host:port`. */
  get url(): string {
    return this.#server?.url ?? '';
  }

  /** Answers the requests in flight. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#server?.stop();
    for (const link of this.#links) link.close();
    this.#metrics.stop();
  }

  async #listen({ address, log }: MergedServerOptions): Promise<void> {
    const metrics = this.#metrics;
    this.#server = await serveMerged({
      ...address,
      merged: this.#merged,
      page: await readServingPage(),
      metrics: { contentType: metrics.contentType, render: () => metrics.render() },
      answered: (path, code, ms) => metrics.answered(path, code, ms),
      version: VERSION,
      failed: (path, reason) => log.error({ path, reason }, 'a request could not be answered'),
    });
    void this.#look();
  }

  /** One look after the other; says when readiness or the shards that answer change. */
  async #look(): Promise<void> {
    await this.#merged.shards.look(LOOK_TIMEOUT_MS);
    if (this.#stopping.signal.aborted) return;
    const lacks = this.#merged.shards.lacks();
    const now = lacks.join('; ');
    if (now !== this.#said) {
      this.#said = now;
      if (now === '') this.#log.info({}, 'ready: all shards answer');
      else this.#log.warn({ lacks }, 'answers are partial, or none');
    }
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
  }
}
