import { Counter, Gauge, type Histogram, Registry } from 'prom-client';
import type { ShardReport } from '../serve/known-shards.ts';
import { type ProcessMetrics, processMetrics } from './process.ts';
import { requestHistogram } from './serving.ts';

/** The metrics of `twhin serve --shards`. */
export class MergingMetrics {
  readonly #registry = new Registry();
  readonly #process: ProcessMetrics;
  readonly #requests: Histogram;
  readonly #missed: Counter;
  readonly #partial: Counter;

  /** now: epoch ms. */
  constructor(version: string, shards: () => readonly ShardReport[], now: () => number) {
    const registers = [this.#registry];
    this.#process = processMetrics(this.#registry, version);
    this.#requests = requestHistogram(this.#registry);
    this.#missed = new Counter({
      name: 'twhin_serve_shard_missed_total',
      help: 'Questions that a shard left without an answer of use, by shard and reason.',
      labelNames: ['shard', 'reason'],
      registers,
    });
    this.#partial = new Counter({
      name: 'twhin_serve_partial_total',
      help: 'Answers that vectors of some partitions were left out of.',
      registers,
    });
    new Gauge({
      name: 'twhin_serve_shard_up',
      help: '1: the shard said last that it is ready, and has not been away since.',
      labelNames: ['shard'],
      registers,
      collect() {
        for (const { url: shard, up } of shards()) this.set({ shard }, up ? 1 : 0);
      },
    });
    new Gauge({
      name: 'twhin_serve_shard_away_seconds',
      help: 'How long the shard has been away; 0 while it is up.',
      labelNames: ['shard'],
      registers,
      collect() {
        for (const { url: shard, up, since } of shards())
          this.set({ shard }, up ? 0 : Math.max(0, now() - since) / 1000);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }

  answered(path: string, code: number, ms: number): void {
    this.#requests.observe({ path, code }, ms / 1000);
  }

  missed(shard: string, reason: string): void {
    this.#missed.inc({ shard, reason });
  }

  partial(): void {
    this.#partial.inc();
  }

  stop(): void {
    this.#process.stop();
  }
}
