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

function samplesOf(scrape: Scrape, name: string, label = ''): [sample: string, value: number][] {
  return Object.entries(scrape).filter(
    ([sample]) => (sample === name || sample.startsWith(`${name}{`)) && sample.includes(label),
  );
}
