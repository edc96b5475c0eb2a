import { open } from 'node:fs/promises';
import type { SchemaElement } from 'hyparquet-writer';

/** Type of a column's values. */
type ParquetType =
  | 'text'
  | 'int32'
  | 'double'
  /** A list of float32 numbers; a value is a plain array. */
  | 'floats'
  /** So many bytes in each row. */
  | { readonly bytes: number };

export interface ParquetColumn {
  readonly name: string;
  readonly type: ParquetType;
  /** Values may be null. */
  readonly nullable?: boolean;
}

/** A row: a value for each column, in their order. */
type ParquetRow = readonly (string | number | readonly number[] | Uint8Array | null)[];

/** Opens a Parquet file, and empties it where it exists. Only the rows of one group are in memory. */
export async function openParquet(path: string, columns: readonly ParquetColumn[], rowsOfGroup: number) {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
  const file = await open(path, 'w');
  const bytes = new ByteWriter();
  // Called after each row group and at the end; the index is where the next byte goes in the buffer.
  const flush = async () => {
    await file.writeFile(bytes.getBytes());
    bytes.index = 0;
  };
  const schema = [{ name: 'root', num_children: columns.length }, ...columns.flatMap(elementsOf)];
  const writer = Object.assign(bytes, { flush, finish: flush });
  const parquet = new ParquetWriter({ writer, schema, createdBy: 'twhin-stream' });
  let group: ParquetRow[] = [];
  const writeGroup = async () => {
    const rows = group;
    group = [];
    const columnData = columns.map(({ name, type }, i) => ({
      name,
      data: rows.map((row) => row[i]),
      // Vectors and codes are noise to a dictionary, to statistics and to compression, which only take time.
      ...((type === 'floats' || typeof type === 'object') &&
        ({ encoding: 'PLAIN', codec: 'UNCOMPRESSED', statistics: false } as const)),
    }));
    await parquet.write({ columnData, rowGroupSize: rows.length });
  };
  return {
    add: async (row: ParquetRow) => {
      group.push(row);
      if (group.length === rowsOfGroup) await writeGroup();
    },
    /** Writes the last row group, and the footer without which the file can't be read. */
    end: async () => {
      if (group.length > 0) await writeGroup();
      await parquet.finish();
    },
    /** Closes the file as it is. Idempotent. */
    close: () => file.close(),
  };
}

/** A column in Parquet's schema, which is a list of a tree's nodes. */
function elementsOf({ name, type, nullable = false }: ParquetColumn): SchemaElement[] {
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED';
  if (typeof type === 'object')
    return [{ name, type: 'FIXED_LEN_BYTE_ARRAY', type_length: type.bytes, repetition_type }];
  switch (type) {
    case 'text':
      return [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type }];
    case 'int32':
      return [{ name, type: 'INT32', repetition_type }];
    case 'double':
      return [{ name, type: 'DOUBLE', repetition_type }];
    case 'floats':
      return [
        { name, converted_type: 'LIST', num_children: 1, repetition_type },
        { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
        { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
      ];
  }
}
