import { type ParquetColumn, ParquetFile } from '../../adapters/parquet.ts';
import { StreamedFile } from '../../adapters/streamed-file.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { Answer } from '../../serve/surfaces.ts';

/** Rows of a Parquet row group. */
const ROWS_OF_GROUP = 16_384;

/** The list for one entity. */
export interface EntityList extends Pick<Answer, 'items' | 'fallback'> {
  readonly from: EntityKey;
}

/** Takes lists, one after the other. */
export interface ListFile {
  add(list: EntityList): Promise<void>;
  /** The file is whole after it. */
  end(): Promise<void>;
  /** Closes the file as it is; after `end` it does nothing. */
  close(): Promise<void>;
}

const COLUMNS: readonly ParquetColumn[] = [
  { name: 'from', type: 'text' },
  { name: 'rank', type: 'int32' },
  { name: 'entity', type: 'text' },
  { name: 'score', type: 'double', nullable: true },
  { name: 'fallback', type: 'text', nullable: true },
];

/** Opens a file for lists: Parquet, a row for each entity of a list, or a JSON object on a line for each list. */
export async function openLists(path: string, parquet: boolean): Promise<ListFile> {
  if (parquet) {
    const file = await ParquetFile.open(path, COLUMNS, ROWS_OF_GROUP);
    return {
      add: async ({ from, items, fallback }) => {
        for (const [i, { entity, score }] of items.entries())
          await file.add([from, i + 1, entity, score, fallback]);
      },
      end: () => file.end(),
      close: () => file.close(),
    };
  }
  const file = new StreamedFile(path);
  return {
    add: ({ from, items, fallback }) => {
      const short = items.map(({ entity, score }) => ({ entity, score }));
      return file.put(`${JSON.stringify({ from, items: short, fallback })}\n`);
    },
    end: () => file.end(),
    close: () => file.close(),
  };
}
