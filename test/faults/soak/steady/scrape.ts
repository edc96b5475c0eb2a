import type { Buckets } from './arithmetic.ts';

/** Values of a scrape by name and labels, as the text has them: `twhin_rows{graph="follow"}`. */
export type Scrape = Readonly<Record<string, number>>;

/** What a scrape says. */
export function parseMetrics(text: string): Scrape {
  const values: Record<string, number> = {};
  for (const [, name, value] of text.matchAll(/^(twhin_\w+(?:\{.*\})?) (\S+)$/gm)) {
    if (name !== undefined) values[name] = Number(value);
  }
  return values;
}

/** A metric summed up over all its labels, or over those samples that have the one given, as `part="rss"`. */
export function total(scrape: Scrape, name: string, label = ''): number {
  return samplesOf(scrape, name, label).reduce((sum, [, value]) => sum + value, 0);
}

/** What a histogram counted between two scrapes, of all graphs together. */
export function bucketsBetween(before: Scrape, after: Scrape, name: string): Buckets {
  const counts = new Map<number, number>();
  const add = (scrape: Scrape, sign: number) => {
    for (const [sample, value] of samplesOf(scrape, `${name}_bucket`)) {
      const le = /le="([^"]+)"/.exec(sample)?.[1];
      const upTo = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
      counts.set(upTo, (counts.get(upTo) ?? 0) + sign * value);
    }
  };
  add(after, 1);
  add(before, -1);
  return [...counts].map(([upTo, count]) => ({ upTo, count })).sort((a, b) => a.upTo - b.upTo);
}

function samplesOf(scrape: Scrape, name: string, label = ''): [sample: string, value: number][] {
  return Object.entries(scrape).filter(
    ([sample]) => (sample === name || sample.startsWith(`${name}{`)) && sample.includes(label),
  );
}
