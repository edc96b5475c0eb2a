import { join } from 'node:path';
import { npyHeader } from '../../adapters/npy.ts';
import { openParquet, type ParquetColumn } from '../../adapters/parquet.ts';
import { StreamedFile } from '../../adapters/streamed-file.ts';
import { FatalError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityRecord, GraphStore } from '../../graph/graph-store.ts';
import { type Shard, shardOf } from '../../graph/shard.ts';

export const FORMATS = ['npy', 'parquet'] as const;
export type Format = (typeof FORMATS)[number];

/** Vectors read at a time. */
const BATCH = 4_096;
/** Numbers in a Parquet row group, which is in memory as a whole and several times over. */
const NUMBERS_OF_GROUP = 524_288;
const CODES_OF_GROUP = 65_536;

export interface StoredVectors {
  readonly store: GraphStore;
  readonly type: string;
  readonly dim: number;
  /** How many there are: see {@link countVectors}. */
  readonly entities: number;
  /** Given for a shard's store: copies of other shards' entities are left out. */
  readonly shard?: Shard | undefined;
  readonly stopping: AbortSignal;
}

/**
 * Number of the type's entities that have a vector: all that are in the checkpoint.
 * counted: entities of the type by the store's head. @throws FatalError `file` where the store holds another number.
 */
export async function countVectors(
  stored: Omit<StoredVectors, 'entities'>,
  counted: number,
): Promise<number> {
  const rows = (await stored.store.checkpoint())?.rows ?? 0;
  let [found, vectors] = [0, 0];
  for await (const { row } of entitiesOf(stored)) {
    found++;
    if (row < rows) vectors++;
  }
  if (found === counted) return vectors;
  throw new FatalError(
    'file',
    `${found} entities of type ${stored.type} are stored, and the head counts ${counted}; run twhin check`,
  );
}

/** Each vector in the order of the store, or those that are picked. @throws RetryableError `interrupted` after a signal. */
export async function* vectorsOf(
  stored: StoredVectors,
  pick: () => boolean = () => true,
): AsyncIterable<{ readonly key: EntityKey; readonly vector: Float32Array }> {
  const { store, dim } = stored;
  const read = async (batch: readonly EntityRecord[]) => {
    const rows = await store.readRows(batch.map(({ row }) => row));
    return batch.flatMap(({ key }, i) =>
      rows[i] === undefined ? [] : [{ key, vector: rows[i].subarray(0, dim) }],
    );
  };
  let batch: EntityRecord[] = [];
  for await (const entity of entitiesOf(stored)) {
    if (pick()) batch.push(entity);
    if (batch.length < BATCH) continue;
    yield* await read(batch);
    batch = [];
  }
  yield* await read(batch);
}

async function* entitiesOf(stored: Omit<StoredVectors, 'entities'>): AsyncIterable<EntityRecord> {
  const { store, type, shard, stopping } = stored;
  for await (const entity of store.entities(type)) {
    stopping.throwIfAborted();
    if (shard === undefined || shardOf(entity.key, shard.count) === shard.index) yield entity;
  }
}

/** Takes the vectors of a type, one after the other. */
export interface VectorWriter extends AsyncDisposable {
  /** value: a vector, or its codes. */
  add(entity: EntityKey, value: Float32Array | Uint8Array): Promise<void>;
  /** The files are whole after it. Disposing closes them as they are. */
  end(): Promise<void>;
}

/** Opens the files of a type, for vectors or for codes of `parts` bytes. */
export async function openWriter(
  format: Format,
  folder: string,
  { type, dim, entities }: Pick<StoredVectors, 'type' | 'dim' | 'entities'>,
  parts?: number,
): Promise<VectorWriter> {
  if (format === 'npy') {
    const vectors = new StreamedFile(join(folder, parts === undefined ? `${type}.npy` : `${type}.codes.npy`));
    const names = new StreamedFile(join(folder, `${type}.txt`));
    await vectors.put(
      parts === undefined ? npyHeader([entities, dim]) : npyHeader([entities, parts], 'uint8'),
    );
    return {
      add: async (entity, value) => {
        await vectors.put(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
        await names.put(`${entity}\n`);
      },
      end: async () => {
        await vectors.end();
        await names.end();
      },
      [Symbol.asyncDispose]: async () => {
        await vectors.close();
        await names.close();
      },
    };
  }
  const column: ParquetColumn =
    parts === undefined ? { name: 'vector', type: 'floats' } : { name: 'codes', type: { bytes: parts } };
  const rows = parts === undefined ? Math.max(1, Math.floor(NUMBERS_OF_GROUP / dim)) : CODES_OF_GROUP;
  const path = join(folder, `${type}.parquet`);
  const file = await openParquet(path, [{ name: 'entity', type: 'text' }, column], rows);
  return {
    // The library takes no typed array for a list.
    add: (entity, value) => file.add([entity, value instanceof Float32Array ? Array.from(value) : value]),
    end: () => file.end(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}
