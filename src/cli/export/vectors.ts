import { join } from 'node:path';
import { decodeVector } from '../../../topics/index.ts';
import { npyHeader } from '../../adapters/npy.ts';
import { openParquet, type ParquetColumn } from '../../adapters/parquet.ts';
import { StreamedFile } from '../../adapters/streamed-file.ts';
import { FatalError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
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
  /** How many there are, by the store's head. */
  readonly entities: number;
  /** Given for a shard's store: copies of other shards' entities are left out. */
  readonly shard?: Shard | undefined;
  readonly stopping: AbortSignal;
}

/**
 * Each vector in the order of the store, or those that are picked. bytes: little-endian float32.
 * @throws RetryableError `interrupted` after a signal; FatalError `file` where the store's parts disagree.
 */
export async function* vectorsOf(
  { store, type, entities, shard, stopping }: StoredVectors,
  pick: () => boolean = () => true,
): AsyncIterable<{ readonly key: EntityKey; readonly bytes: Uint8Array }> {
  async function* read(batch: readonly { key: EntityKey; row: number }[]) {
    stopping.throwIfAborted();
    const vectors = await store.readVectors(batch.map(({ row }) => row));
    for (const { key, row } of batch) {
      const bytes = vectors.get(row)?.bytes;
      if (bytes === undefined)
        throw new FatalError('file', `${key} has no vector in the store; run twhin check`);
      yield { key, bytes };
    }
  }
  let found = 0;
  let batch: { key: EntityKey; row: number }[] = [];
  for await (const { key, row } of store.entities(type)) {
    if (shard !== undefined && shardOf(key, shard.count) !== shard.index) continue;
    found++;
    if (pick()) batch.push({ key, row });
    if (batch.length < BATCH) continue;
    yield* read(batch);
    batch = [];
  }
  yield* read(batch);
  if (found !== entities)
    throw new FatalError(
      'file',
      `${found} entities of type ${type} are stored, and the head counts ${entities}; run twhin check`,
    );
}

/** Takes the vectors of a type, one after the other. */
export interface VectorWriter extends AsyncDisposable {
  /** bytes: little-endian float32 numbers, or codes. */
  add(entity: EntityKey, bytes: Uint8Array): Promise<void>;
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
      add: async (entity, bytes) => {
        await vectors.put(bytes);
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
    add: (entity, bytes) => file.add([entity, parts === undefined ? Array.from(decodeVector(bytes)) : bytes]),
    end: () => file.end(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}
