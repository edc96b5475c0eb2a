import { FatalError } from '../../errors/errors.ts';

/** What can be wrong with a store. None of these is true after a commit. */
export const FINDINGS = {
  'head-missing': 'there are entries, but no head: files of the store are lost',
  'head-damaged': "the head can't be read",
  'key-unknown': 'there are keys of a kind that no graph has',
  'entry-damaged': "there are keys or values that can't be read",
  'entities-fewer': 'there are fewer entities than the head counts: some are lost',
  'entities-more': 'there are more entities than the head counts',
  'entities-damaged': "entities can't be read, or have an impossible row or state",
  'checkpoint-damaged': "the checkpoint with the vectors can't be read",
  'checkpoint-differs': 'the checkpoint does not go with the head, or with the entities',
  'vector-missing': 'trained entities, or relations, have no vector',
  'vector-damaged': 'vectors have impossible numbers',
  'journal-differs': 'the journal has not exactly the commits after the checkpoint: some training is lost',
  'end-missing': 'live edges have an end that is not an entity of the store',
  'edges-fewer': 'there are fewer live edges than the head counts: some are lost',
  'edges-more': 'there are more live edges than the head counts',
  'edge-strange': 'edges have no end that the shard owns',
  'reverse-missing': 'edges lack their reverse entry',
  'reverse-differs': 'edges and their reverse entries differ',
  'reverse-extra': 'reverse entries have no edge',
} as const;

export type FindingKind = keyof typeof FINDINGS;

/** A kind of damage, how often it was found, and the first few places. */
export interface Finding {
  readonly kind: FindingKind;
  readonly count: number;
  readonly samples: readonly string[];
}

const SAMPLES = 3;

export class Findings {
  readonly #found = new Map<FindingKind, { count: number; samples: string[] }>();

  /** count: how many places the one `sample` stands for. */
  add(kind: FindingKind, sample: string, count = 1): void {
    const found = this.#found.get(kind) ?? { count: 0, samples: [] };
    found.count += count;
    if (found.samples.length < SAMPLES) found.samples.push(sample);
    this.#found.set(kind, found);
  }

  /** What `read` gives; undefined, and a finding, where it fails of a damaged store. */
  async readable<T>(kind: FindingKind, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof FatalError) || error.code !== 'store-damaged') throw error;
      this.add(kind, error.message);
      return undefined;
    }
  }

  count(kind: FindingKind): number {
    return this.#found.get(kind)?.count ?? 0;
  }

  /** In the order of {@link FINDINGS}. */
  list(): Finding[] {
    const all: readonly string[] = Object.keys(FINDINGS);
    const found = [...this.#found].map(([kind, of]) => ({ kind, ...of }));
    return found.sort((a, b) => all.indexOf(a.kind) - all.indexOf(b.kind));
  }
}

/** What `read` gives, or undefined where it throws. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // The caller reports the unreadable bytes as a finding.
    return undefined;
  }
}
