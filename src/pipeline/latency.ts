/** Samples kept: enough for a p99 that means something. */
const WINDOW = 4096;

/** Quantiles over the newest samples, in ms. */
export class LatencyWindow {
  readonly #samples = new Float64Array(WINDOW);
  #count = 0;

  add(ms: number): void {
    this.#samples[this.#count++ % WINDOW] = ms;
  }

  /** undefined before the first sample. q: 0 … 1, by nearest rank. */
  quantile(q: number): number | undefined {
    const held = Math.min(this.#count, WINDOW);
    if (held === 0) return undefined;
    const sorted = this.#samples.slice(0, held).sort();
    return sorted[Math.max(0, Math.ceil(q * held) - 1)];
  }
}
