import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import type {
  PartitionRange,
  ReadableLog,
  SourceRecord,
  Stretch,
  StretchCursor,
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

/** Triples to be told, by index, and the end of each snapshot in them. */
interface Told {
  readonly train: Pick<IndexedTriples, 'lhs' | 'relation' | 'rhs'>;
  readonly snapshots: readonly number[];
}

/**
 * The training triples as a log of one partition: each pass tells every triple once, with later times than the pass before,
 * in an order drawn from the seed. Snapshots stay in their order; within a snapshot the order is random.
 */
export class TripleLog implements ReadableLog {
  readonly topic: string;
  readonly records: number;
  readonly #graph: Told;
  readonly #seed: number;
  readonly #keys: readonly EntityKey[];
  readonly #names: readonly string[];
  /** The order of one pass: that of the last record read. */
  #order: { readonly pass: number; readonly triples: Int32Array } | undefined;

  /** keys and names: those of entities and relations, by index. */
  constructor(
    graph: Told,
    options: {
      topic: string;
      passes: number;
      seed: number;
      keys: readonly EntityKey[];
      names: readonly string[];
    },
  ) {
    this.topic = options.topic;
    this.records = options.passes * graph.train.lhs.length;
    this.#graph = graph;
    this.#seed = options.seed;
    this.#keys = options.keys;
    this.#names = options.names;
  }

  get range(): Stretch {
    return { topic: this.topic, partition: 0, from: 0, until: this.records };
  }

  async ranges(): Promise<PartitionRange[]> {
    return [{ topic: this.topic, partition: 0, low: 0, high: this.records }];
  }

  async read(stretches: readonly Stretch[]): Promise<StretchReading> {
    return { cursors: stretches.map((stretch) => this.#cursor(stretch)), close: async () => {} };
  }

  #cursor(stretch: Stretch): StretchCursor {
    let next = stretch.from;
    return {
      stretch,
      next: async () => {
        if (next >= stretch.until) return undefined;
        const from = next;
        next = Math.min(from + HAND_OVER, stretch.until);
        return Array.from({ length: next - from }, (_, i) => this.#record(from + i));
      },
    };
  }

  #record(offset: number): SourceRecord {
    const { train } = this.#graph;
    const { length } = train.lhs;
    const triple = this.#orderOf(Math.floor(offset / length))[offset % length]!;
    const at = FIRST_AT + offset;
    const edge = {
      lhs: this.#keys[train.lhs[triple]!]!,
      relation: this.#names[train.relation[triple]!]!,
      rhs: this.#keys[train.rhs[triple]!]!,
    };
    const content = { changes: [{ ...edge, at, removed: false }] };
    return { topic: this.topic, partition: 0, offset, timestamp: at, key: null, value: null, content };
  }

  #orderOf(pass: number): Int32Array {
    if (this.#order?.pass === pass) return this.#order.triples;
    const triples = Int32Array.from(this.#graph.train.lhs, (_, i) => i);
    const random = Random.seeded(this.#seed + pass * 2 ** 32);
    let from = 0;
    for (const to of this.#graph.snapshots) {
      for (let i = to - 1; i > from; i--) {
        const j = from + random.below(i - from + 1);
        [triples[i], triples[j]] = [triples[j]!, triples[i]!];
      }
      from = to;
    }
    this.#order = { pass, triples };
    return triples;
  }
}
