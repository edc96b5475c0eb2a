import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import type {
  PartitionRange,
  ReadableLog,
  SourceRecord,
  Stretch,
  StretchReading,
} from '../../src/pipeline/ports.ts';
import { Random } from '../../src/sampling/random.ts';
import type { IndexedTriples } from './triples.ts';

/** The entity type of a knowledge graph, whose entities are of one type. */
export const ENTITY_TYPE = 'entity';
const HAND_OVER = 1_024;
/** Time of the first event, epoch ms; each event comes a millisecond after the one before. */
const FIRST_AT = Date.UTC(2024, 0, 1);

/** The key of an entity, by its index in the graph. */
export function keyOf(entity: number): EntityKey {
  return entityKey(ENTITY_TYPE, `${entity}`);
}

/** The name of a relation in the configuration, by its index in the graph. */
export function relationName(relation: number): string {
  return `r${relation}`;
}

/** Triples by index, the end of each snapshot in them, and the names of entities and relations by index. */
interface Told {
  readonly train: Pick<IndexedTriples, 'lhs' | 'relation' | 'rhs'>;
  readonly snapshots: readonly number[];
  readonly keys: readonly EntityKey[];
  readonly names: readonly string[];
}

/**
 * The training triples as a log of one partition: each pass tells every triple once, with later times than the pass before,
 * in an order drawn from the seed. Snapshots stay in their order; within a snapshot the order is random.
 */
export class TripleLog implements ReadableLog {
  readonly range: Stretch;
  readonly #told: Told;
  readonly #seed: number;
  /** The order of one pass: that of the last record read. */
  #order: { readonly pass: number; readonly triples: Int32Array } | undefined;

  constructor(told: Told, { topic, passes, seed }: { topic: string; passes: number; seed: number }) {
    this.range = { topic, partition: 0, from: 0, until: passes * told.train.lhs.length };
    this.#told = told;
    this.#seed = seed;
  }

  async ranges(): Promise<PartitionRange[]> {
    const { topic, partition, from: low, until: high } = this.range;
    return [{ topic, partition, low, high }];
  }

  async read(stretches: readonly Stretch[]): Promise<StretchReading> {
    const cursors = stretches.map((stretch) => {
      let next = stretch.from;
      const read = async () => {
        if (next >= stretch.until) return undefined;
        const from = next;
        next = Math.min(from + HAND_OVER, stretch.until);
        return Array.from({ length: next - from }, (_, i) => this.#record(from + i));
      };
      return { stretch, next: read };
    });
    return { cursors, close: async () => {} };
  }

  #record(offset: number): SourceRecord {
    const { train, keys, names } = this.#told;
    const { length } = train.lhs;
    const triple = this.#orderOf(Math.floor(offset / length))[offset % length]!;
    const timestamp = FIRST_AT + offset;
    const edge = {
      lhs: keys[train.lhs[triple]!]!,
      relation: names[train.relation[triple]!]!,
      rhs: keys[train.rhs[triple]!]!,
    };
    const content = { changes: [{ ...edge, at: timestamp, removed: false }] };
    return { topic: this.range.topic, partition: 0, offset, timestamp, key: null, value: null, content };
  }

  #orderOf(pass: number): Int32Array {
    if (this.#order?.pass === pass) return this.#order.triples;
    const { train, snapshots } = this.#told;
    const triples = Int32Array.from(train.lhs, (_, i) => i);
    const random = Random.seeded(this.#seed + pass * 2 ** 32);
    let first = 0;
    for (const end of snapshots) {
      for (let i = end - 1; i > first; i--) {
        const other = first + random.below(i - first + 1);
        [triples[i], triples[other]] = [triples[other]!, triples[i]!];
      }
      first = end;
    }
    this.#order = { pass, triples };
    return triples;
  }
}
