/** A metric of a scrape, summed up over all its labels, or over those samples that have the one given, as `part="rss"`. */
export function total(scrape: string, name: string, label = ''): number {
  const samples = [...scrape.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'))];
  return samples.reduce(
    (sum, [, labels = '', value]) => sum + (labels.includes(label) ? Number(value) : 0),
    0,
  );
}
