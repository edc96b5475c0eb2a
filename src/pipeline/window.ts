/** Samples kept: enough for a p99 that means something. */
const SIZE = 4096;

/** Quantiles and mean of the newest samples. */
export class Window {
  readonly #samples = new Float64Array(SIZE);
  #count = 0;

  add(sample: number): void {
    this.#samples[this.#count++ % SIZE] = sample;
  }

  /** undefined before the first sample. q: 0 … 1, by nearest rank. */
  quantile(q: number): number | undefined {
    const sorted = this.#held().slice().sort();
    return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  }

  /** undefined before the first sample. */
  get mean(): number | undefined {
    const held = this.#held();
    return held.length === 0 ? undefined : held.reduce((sum, each) => sum + each, 0) / held.length;
  }

  #held(): Float64Array {
    return this.#samples.subarray(0, Math.min(this.#count, SIZE));
  }
}
