/** What can be wrong with a store, and what that means. Each must hold after every commit. */
export const FINDINGS = {
  'head-missing': 'there are entries, but no head: files of the store are lost',
  'head-damaged': "the head can't be read",
  'key-unknown': 'keys that no graph has',
  'entry-damaged': "keys or values that can't be read",
  'entities-fewer': 'there are fewer entities than the head counts: some are lost',
  'entities-more': 'there are more entities than the head counts',
  'row-shared': 'entities stand on the row of another',
  'row-beyond': 'entities stand on rows that the head says are not handed out',
  'vector-missing': 'trained entities, or relations, have no vector',
  'vector-orphan': 'vectors stand on rows of no entity',
  'vector-damaged': "vectors have the wrong length, or numbers that can't be",
  'end-missing': 'live edges have an end that is no entity',
  'edges-fewer': 'there are fewer live edges than the head counts: some are lost',
  'edges-more': 'there are more live edges than the head counts',
  'reverse-missing': 'edges lack their entry the other way round',
  'reverse-differs': 'edges and their entries the other way round differ',
  'reverse-extra': 'entries the other way round have no edge',
  'outbox-fewer': 'fewer vectors wait to be published than the head counts: some would never be',
  'offset-damaged': 'offsets are not of partitions that a log can have',
  'offset-beyond': 'offsets are beyond what the log holds: a topic was cut, or made again',
  'offset-gone': 'records that were not read yet are no longer in the log',
} as const;

export type FindingKind = keyof typeof FINDINGS;

/** Something wrong, how often, and the first few places. */
export interface Finding {
  readonly kind: FindingKind;
  readonly count: number;
  readonly samples: readonly string[];
}

const SAMPLES = 3;

/** Gathers what is wrong, by kind. */
export class Findings {
  readonly #found = new Map<FindingKind, { count: number; samples: string[] }>();

  /** count: how many places `sample` stands for. */
  add(kind: FindingKind, sample: string, count = 1): void {
    const found = this.#found.get(kind) ?? { count: 0, samples: [] };
    found.count += count;
    if (found.samples.length < SAMPLES) found.samples.push(sample);
    this.#found.set(kind, found);
  }

  count(kind: FindingKind): number {
    return this.#found.get(kind)?.count ?? 0;
  }

  /** In the order of {@link FINDINGS}. */
  list(): Finding[] {
    return order(this.#found.keys()).map((kind) => ({ kind, ...this.#found.get(kind)! }));
  }
}

function order(kinds: Iterable<FindingKind>): FindingKind[] {
  const all: readonly string[] = Object.keys(FINDINGS);
  return [...kinds].sort((a, b) => all.indexOf(a) - all.indexOf(b));
}
