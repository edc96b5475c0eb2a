import { UsageError } from '../../errors/errors.ts';

/** The fields of a record; `open` when a quoted field continues in the next line; or what is wrong. */
type CsvRecord =
  | { readonly kind: 'fields'; readonly fields: readonly string[] }
  | { readonly kind: 'open' }
  | { readonly kind: 'wrong'; readonly message: string };

/** Position of the parser within a record. */
type Place = 'start' | 'bare' | 'quoted' | 'closed';

/**
 * Parses one record of comma-separated values, without its line end.
 * Source: RFC 4180, section 2. A quote inside an unquoted field is an error here, unlike in many readers.
 */
function parseCsv(text: string): CsvRecord {
  if (!text.includes('"')) return { kind: 'fields', fields: text.split(',') };
  const fields: string[] = [];
  let place: Place = 'start';
  let field = '';
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (place === 'quoted') {
      if (char !== '"') field += char;
      else if (text.charAt(index + 1) === '"') {
        field += '"';
        index++;
      } else place = 'closed';
    } else if (char === ',') {
      fields.push(field);
      field = '';
      place = 'start';
    } else if (place === 'closed') {
      return { kind: 'wrong', message: `text after the closing quote of field ${fields.length + 1}` };
    } else if (char === '"') {
      if (place === 'bare') {
        return {
          kind: 'wrong',
          message: `a quote inside field ${fields.length + 1}, which is not quoted`,
        };
      }
      place = 'quoted';
    } else {
      field += char;
      place = 'bare';
    }
  }
  if (place === 'quoted') return { kind: 'open' };
  fields.push(field);
  return { kind: 'fields', fields };
}

/** A line of a CSV file. */
interface CsvLine {
  readonly line: number;
  readonly bytes: Buffer;
}

/** A record below the header. */
export interface CsvRow extends CsvLine {
  /** Column name and cell in the file's order, without the columns that have no name. */
  readonly cells: readonly (readonly [name: string, cell: string])[];
  /** What is wrong with the record. */
  readonly wrong?: string;
}

/** Maximum bytes of a record of several lines: an open quote must not swallow the rest of the file. */
const MAX_RECORD_BYTES = 65_536;
const QUOTE = 0x22;

/**
 * Joins lines into records; the first record names the columns. A quote that is never closed loses only its own line:
 * the lines after it are read again on their own.
 * @throws UsageError when the header names a column twice.
 */
export class CsvReader {
  #header: readonly string[] | undefined;
  /** Lines of an incomplete record. */
  #open: CsvLine[] = [];
  #openBytes = 0;
  #openQuotes = 0;

  /** Whether a quoted field continues in the next line, even if that line is blank. */
  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  /** The records that `line` completes. */
  *take(line: CsvLine): Generator<CsvRow> {
    const waiting = [line];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      this.#open.push(next);
      this.#openBytes += next.bytes.length;
      this.#openQuotes += countQuotes(next.bytes);
      const first = this.#open.length === 1;
      // A complete record has an even number of quotes, so no other record needs parsing.
      if (!first && this.#openQuotes % 2 === 1 && this.#openBytes <= MAX_RECORD_BYTES) continue;
      const bytes = first ? next.bytes : joined(this.#open);
      const record = parseCsv(bytes.toString('utf8'));
      if (record.kind === 'open' && this.#openBytes <= MAX_RECORD_BYTES) continue;
      if (record.kind === 'fields') {
        yield* this.#row(this.#open[0]?.line ?? next.line, bytes, record.fields);
        this.#close();
      } else {
        const message = record.kind === 'wrong' && first ? record.message : 'a quote is never closed';
        yield* this.#abandon(message, waiting);
      }
    }
  }

  /** The records of the remaining lines at the end of the file. */
  *end(): Generator<CsvRow> {
    while (this.isOpen) {
      const waiting: CsvLine[] = [];
      yield* this.#abandon('a quote is never closed', waiting);
      for (const line of waiting) yield* this.take(line);
    }
  }

  *#abandon(wrong: string, waiting: CsvLine[]): Generator<CsvRow> {
    const [first, ...rest] = this.#open;
    this.#close();
    waiting.unshift(...rest);
    if (first !== undefined) yield { ...first, cells: [], wrong };
  }

  *#row(line: number, bytes: Buffer, fields: readonly string[]): Generator<CsvRow> {
    const header = this.#header;
    if (header === undefined) {
      this.#header = checkedHeader(fields);
    } else if (fields.length !== header.length) {
      yield { line, bytes, cells: [], wrong: `${fields.length} fields under ${header.length} column names` };
    } else {
      const cells = header.map((name, column) => [name, fields[column] ?? ''] as const);
      yield { line, bytes, cells: cells.filter(([name]) => name !== '') };
    }
  }

  #close(): void {
    this.#open = [];
    this.#openBytes = 0;
    this.#openQuotes = 0;
  }
}

function checkedHeader(fields: readonly string[]): readonly string[] {
  const names = fields.map((name) => name.trim());
  const twice = names.find((name, column) => name !== '' && names.indexOf(name) !== column);
  if (twice !== undefined) {
    throw new UsageError(`the header names column ${JSON.stringify(twice)} twice; rename one`);
  }
  return names;
}

function countQuotes(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(QUOTE); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) count++;
  return count;
}

function joined(lines: readonly CsvLine[]): Buffer {
  const newline = Buffer.from('\n');
  return Buffer.concat(lines.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [newline, bytes])));
}
