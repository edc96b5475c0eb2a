import { Histogram, type Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;
/** Takes one value of a histogram. */
export type Observe = (name: string, labels: Labels, value: number) => void;

export interface HistogramSettings {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending, in the unit of the name. */
  readonly buckets: readonly number[];
}

/** The histograms of a registry. Unlike other metrics they can't be read again later: who else wants them is told each value. */
export class Histograms {
  readonly all: HistogramSettings[] = [];
  readonly #registry: Registry;
  #also: Observe | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Gives what takes the values. */
  make(settings: HistogramSettings): (labels: Labels, value: number) => void {
    this.all.push(settings);
    const { name, help, labels: labelNames, buckets } = settings;
    const histogram = new Histogram({
      ...{ name, help, labelNames: [...labelNames], buckets: [...buckets] },
      registers: [this.#registry],
    });
    return (labels, value) => {
      histogram.observe(labels, value);
      this.#also?.(name, labels, value);
    };
  }

  /** Tells this one too, from now on. */
  also(observe: Observe): void {
    this.#also = observe;
  }
}
