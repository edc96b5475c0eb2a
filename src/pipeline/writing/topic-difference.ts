import { UsageError } from '../../errors/errors.ts';
import { type EntityKey, parseEntityKey, typeOf } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { ReadableLog, SourceRecord } from '../ports.ts';
import { eachRecord, wholeTopics } from '../reading/bounded.ts';

/** How the topics with vectors differ from a store. */
export interface Differing {
  /** Records read. */
  readonly records: number;
  /** The highest step and epoch in the topics; −1 and 0 where they hold none. */
  readonly step: number;
  readonly epoch: number;
  /** Space of the writer with the highest epoch. */
  readonly space: string | undefined;
  /** Entities whose last vector in the topic is not the store's, and keys that only one of the two has. */
  readonly keys: EntityKey[];
}

/**
 * Compares the topics that a graph's vectors are published to with a store: finds which entities have to be published
 * for both to hold the same. Of relation vectors only the steps count: a new leader publishes all of them.
 * Memory: a byte for each row, and the keys that differ.
 * owns: whether an entity's vector is this store's to publish; entities of other shards are passed over.
 */
export async function differing(
  reader: ReadableLog,
  topics: readonly string[],
  store: GraphStore,
  index: EntityIndex,
  owns: (key: EntityKey) => boolean = () => true,
): Promise<Differing> {
  const fold = new Fold(store, index, owns);
  await eachRecord(reader, await wholeTopics(reader, topics), (records) => fold.add(records));
  return fold.result();
}

class Fold {
  readonly #store: GraphStore;
  readonly #index: EntityIndex;
  readonly #owns: (key: EntityKey) => boolean;
  /** By row: 1 where the last vector read equals the store's. */
  readonly #same: Uint8Array;
  readonly #unknown = new Set<EntityKey>();
  #records = 0;
  #step = -1;
  #epoch = 0;
  #space: string | undefined;

  constructor(store: GraphStore, index: EntityIndex, owns: (key: EntityKey) => boolean) {
    this.#owns = owns;
    this.#store = store;
    this.#index = index;
    this.#same = new Uint8Array(index.nextRow);
  }

  async add(records: readonly SourceRecord[]): Promise<void> {
    const own = records.filter(({ key }) => this.#isOwn(key));
    this.#records += own.length;
    await this.#addOwn(own);
  }

  /** Relation vectors and records of other programs are everybody's. */
  #isOwn(key: Buffer | null): boolean {
    const entity = this.#entityOf(key);
    return entity === undefined || this.#owns(entity);
  }

  async #addOwn(records: readonly SourceRecord[]): Promise<void> {
    const entities = records.map(({ key }) => this.#entityOf(key));
    const rows = entities.map((entity) => entity && this.#index.find(entity));
    const vectors = await this.#store.readVectors(rows.filter((row) => row !== undefined));
    records.forEach(({ value, headers }, i) => {
      this.#step = Math.max(this.#step, numberIn(headers?.['step']));
      const epoch = numberIn(headers?.['epoch']);
      if (epoch >= this.#epoch) {
        this.#epoch = epoch;
        this.#space = headers?.['space']?.toString();
      }
      const row = rows[i];
      const entity = entities[i];
      if (row !== undefined) {
        const stored = vectors.get(row)?.bytes;
        this.#same[row] = stored && value?.equals(stored) ? 1 : 0;
      } else if (entity !== undefined) {
        if (value === null) this.#unknown.delete(entity);
        else this.#unknown.add(entity);
      }
    });
  }

  /** undefined: another program's record, which is left alone. */
  #entityOf(key: Buffer | null): EntityKey | undefined {
    try {
      const entity = key === null ? undefined : parseEntityKey(key.toString());
      return entity && this.#store.layout.typeIndex(typeOf(entity)) !== undefined ? entity : undefined;
    } catch (error) {
      if (error instanceof UsageError) return undefined;
      throw error;
    }
  }

  result(): Differing {
    const keys = [...this.#unknown];
    for (let row = 0; row < this.#same.length; row++) {
      const key = this.#same[row] === 1 ? undefined : this.#index.keyAt(row);
      if (key !== undefined && this.#owns(key)) keys.push(key);
    }
    return { records: this.#records, step: this.#step, epoch: this.#epoch, space: this.#space, keys };
  }
}

function numberIn(header: Buffer | undefined): number {
  const value = Number(header?.toString());
  return Number.isSafeInteger(value) ? value : -1;
}
