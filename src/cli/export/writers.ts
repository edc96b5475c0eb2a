import { join } from 'node:path';
import { decodeVector } from '../../../topics/index.ts';
import { type ParquetColumn, ParquetFile } from '../../adapters/parquet.ts';
import { StreamedFile } from '../../adapters/streamed-file.ts';
import { npyHeader } from '../../evaluation/graph/npy.ts';
import type { EntityKey } from '../../graph/entity.ts';

export const FORMATS = ['npy', 'parquet', 'word2vec', 'csv'] as const;
export type Format = (typeof FORMATS)[number];
/** Formats that codes of quantised vectors can be written in. */
export const CODE_FORMATS = ['npy', 'parquet'] as const;
export type CodeFormat = (typeof CODE_FORMATS)[number];

/** Numbers in a Parquet row group, which is in memory as a whole and several times over. */
const NUMBERS_OF_GROUP = 524_288;
const CODES_OF_GROUP = 65_536;

/** Takes the vectors of a type, one after the other. */
export interface VectorWriter {
  /** bytes: little-endian float32 numbers, or codes. */
  add(entity: EntityKey, bytes: Uint8Array): Promise<void>;
  /** The files are whole after it. */
  end(): Promise<void>;
  /** Closes the files as they are; after `end` it does nothing. */
  close(): Promise<void>;
}

/** Where the vectors of a type go. */
export interface Target {
  readonly folder: string;
  readonly type: string;
  readonly rows: number;
}

/** Opens the files for vectors of `dim` numbers. */
export function openVectors(format: Format, target: Target, dim: number): Promise<VectorWriter> {
  const { folder, type, rows } = target;
  const file = (name: string) => new StreamedFile(join(folder, name));
  switch (format) {
    case 'npy':
      return matrixAndNames(target, `${type}.npy`, npyHeader([rows, dim]));
    case 'parquet':
      return parquet(
        join(folder, `${type}.parquet`),
        { name: 'vector', type: 'floats' },
        Math.max(1, Math.floor(NUMBERS_OF_GROUP / dim)),
        // The library takes no typed array for a list.
        (bytes) => Array.from(decodeVector(bytes)),
      );
    case 'word2vec':
      return inLines(file(`${type}.bin`), `${rows} ${dim}\n`, (entity, bytes) => [
        `${entity.replaceAll('%', '%25').replaceAll(' ', '%20')} `,
        bytes,
        '\n',
      ]);
    case 'csv': {
      const columns = Array.from({ length: dim }, (_, k) => `v${k}`);
      return inLines(file(`${type}.csv`), `entity,${columns.join(',')}\n`, (entity, bytes) => [
        `"${entity.replaceAll('"', '""')}",${Array.from(decodeVector(bytes), shortest).join(',')}\n`,
      ]);
    }
  }
}

/** Opens the files for codes of `parts` bytes. */
export function openCodes(format: CodeFormat, target: Target, parts: number): Promise<VectorWriter> {
  const { folder, type, rows } = target;
  if (format === 'npy')
    return matrixAndNames(target, codesFile(format, type), npyHeader([rows, parts], 'uint8'));
  const column = { name: 'codes', type: { bytes: parts } };
  return parquet(join(folder, codesFile(format, type)), column, CODES_OF_GROUP, (bytes) => bytes);
}

/** The file with the codes of a type. */
export function codesFile(format: CodeFormat, type: string): string {
  return format === 'npy' ? `${type}.codes.npy` : `${type}.parquet`;
}

/** A .npy of the vectors, and a text file with the entity of each row. */
async function matrixAndNames({ folder, type }: Target, name: string, header: Buffer): Promise<VectorWriter> {
  const [vectors, names] = [
    new StreamedFile(join(folder, name)),
    new StreamedFile(join(folder, `${type}.txt`)),
  ];
  await vectors.put(header);
  return {
    add: async (entity, bytes) => {
      await vectors.put(bytes);
      await names.put(`${entity}\n`);
    },
    end: async () => {
      await vectors.end();
      await names.end();
    },
    close: async () => {
      await vectors.close();
      await names.close();
    },
  };
}

/** One file, with a header and then a line for each vector. */
async function inLines(
  file: StreamedFile,
  header: string,
  lineOf: (entity: EntityKey, bytes: Uint8Array) => readonly (string | Uint8Array)[],
): Promise<VectorWriter> {
  await file.put(header);
  return {
    add: async (entity, bytes) => {
      for (const piece of lineOf(entity, bytes)) await file.put(piece);
    },
    end: () => file.end(),
    close: () => file.close(),
  };
}

/** A Parquet file of two columns: the entity, and what its bytes stand for. */
async function parquet(
  path: string,
  column: ParquetColumn,
  rowsOfGroup: number,
  cellOf: (bytes: Uint8Array) => Uint8Array | number[],
): Promise<VectorWriter> {
  const file = await ParquetFile.open(path, [{ name: 'entity', type: 'text' }, column], rowsOfGroup);
  return {
    add: (entity, bytes) => file.add([entity, cellOf(bytes)]),
    end: () => file.end(),
    close: () => file.close(),
  };
}

/** The fewest digits that give the same float32 again. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}
