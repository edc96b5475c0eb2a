import type { GraphSnapshot } from './graph.ts';

type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number | undefined];

/** A metric that is read off a graph at each scrape. Every sample has the label `graph` besides those listed. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  /** Also of a graph whose store is not loaded yet, of which all else is unknown. */
  readonly always?: boolean;
  /** Samples without a value are left out. */
  samples(snapshot: GraphSnapshot): Sample[];
}

export function counter(name: string, help: string, labels: string[], samples: Family['samples']): Family {
  return { name, help, kind: 'counter', labels, samples };
}

export function gauge(name: string, help: string, labels: string[], samples: Family['samples']): Family {
  return { name, help, kind: 'gauge', labels, samples };
}

/** The one sample of a metric without labels of its own. */
export function one(value: number | undefined): Sample[] {
  return [[{}, value]];
}

/** A sample for each name, which is the label's value. */
export function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

/** Seconds from one epoch ms to another; undefined where the first is. */
export function since(now: number, at: number | undefined): number | undefined {
  return at === undefined ? undefined : Math.max(0, now - at) / 1000;
}
