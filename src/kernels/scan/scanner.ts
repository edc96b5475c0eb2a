import { ShapeError } from '../../errors/errors.ts';
import type { ScorerName } from '../../model/settings.ts';
import type { Exported } from '../instance.ts';
import { Best } from './best.ts';
import { compiledScan, ExactScores } from './exact.ts';
import { BLOCK_ROWS, blockAt, MAX_QUERIES } from './layout.ts';
import { LoadedQuery } from './query.ts';
import type { ScanRows } from './rows.ts';
import { bestFirst, checkQueries, clip, type Found, type RowRange, type ScanQuery } from './scan.ts';

/** Rows of the first part of a pass, all of which are scored; each later part has twice as many, up to a block. */
const FIRST_ROWS = 64;

/** Marks of a block, four to a number of 32 bits. */
const BLOCK_WORDS = BLOCK_ROWS / 4;

/** Rows that queries of a pass leave out. bits: a bit for each query that leaves out the same ones. */
interface Marking {
  /** Byte addresses of the marks of rows that were listed. */
  readonly places: readonly { readonly at: readonly number[]; readonly bits: number }[];
  /** Marks of all rows, four to a number. */
  readonly words: readonly { readonly of: Int32Array; readonly bits: number }[];
}

/**
 * The compiled scan (`assembly/`): exact answers about all rows, as if every score were summed in float64, term by term. A pass over the
 * codes proves of nearly all rows that they score lower than the best found so far, and the few that are left are scored exactly, block
 * by block. Since the limit is an exact score, no row has to wait for a better one, and no buffer can be full.
 */
export class Scanner {
  readonly #rows: ScanRows;
  readonly #queries: readonly LoadedQuery[];
  readonly #foundRows: Int32Array;
  /** By memory with vectors; made when one of its rows is first looked at. */
  readonly #exact: ExactScores[] = [];
  readonly #exactOf: (memory: number) => ExactScores;
  /** Place of this scanner's marks within a block. */
  readonly #marks: number;
  readonly #collect: Exported;
  #scored = 0;

  /**
   * workspace: which of the table's workspaces this scanner has; no other scanner may have the same.
   * @throws ShapeError when the table has no such workspace.
   */
  constructor(rows: ScanRows, scorer: ScorerName, workspace = 0) {
    const { dim, layout } = rows;
    const { codes, scanners } = rows.place;
    if (!Number.isInteger(workspace) || workspace < 0 || workspace >= scanners) {
      throw new ShapeError(`${workspace} is none of the table's ${scanners} workspaces`);
    }
    const start = layout.workspaces + workspace * layout.workspaceBytes;
    const foundRows = start + layout.foundRows;
    this.#rows = rows;
    this.#queries = Array.from(
      { length: MAX_QUERIES },
      (_, i) => new LoadedQuery(codes, start + i * layout.queryBytes, layout, { dim, scorer }),
    );
    this.#foundRows = new Int32Array(codes.buffer, foundRows, BLOCK_ROWS);
    this.#exactOf = (memory) => (this.#exact[memory] ??= new ExactScores(rows, memory, scorer, workspace));
    this.#marks = layout.marks + workspace * BLOCK_ROWS;
    const instance = compiledScan(scorer, codes);
    const { blocks, blockBytes, measures, queryCodes, queryFloats, codeDim: codeBytes } = layout;
    const places = { blocks, blockBytes, measures, marks: this.#marks, queryCodes, queryFloats };
    instance.setGlobals({ ...places, foundRows, codeBytes });
    this.#collect = instance.functionOf('collect');
  }

  /** Rows scored exactly so far, over all queries. */
  get scored(): number {
    return this.#scored;
  }

  /**
   * For each query the best `count` rows, best first; of equal scores, the lower row first. Rows left out never make a list
   * shorter: fewer rows come only where fewer are left. queries: at most 4, which share a pass over the rows.
   * range: the rows looked at, all unless given.
   * @throws ShapeError when a query has another length than the rows or a number out of range, or with too many queries.
   */
  top(queries: readonly ScanQuery[], count: number, range?: RowRange): Found[][] {
    checkQueries(queries, this.#rows);
    if (count < 1) return queries.map(() => []);
    const within = clip(range, this.#rows.rows);
    const marking = this.#markingOf(queries, within);
    for (const [i, { vector }] of queries.entries()) this.#queries[i]!.load(vector);
    const { pieceRows } = this.#rows.place;
    for (let memory = Math.floor(within.from / pieceRows); memory * pieceRows < within.until; memory++)
      this.#exactOf(memory).load(queries);
    const best = queries.map(() => new Best<Found>(count, isWorse));
    const limits = this.#queries.map((query) => query.lower(Number.NEGATIVE_INFINITY));
    this.#marked(marking, within, () =>
      forEachPart(within, (block, from, until) => {
        for (let i = 0; i < best.length; i++) {
          const query = this.#queries[i]!;
          const found = this.#collect(block, from, until, query.address, 1 << i, limits[i]!);
          if (found === 0) continue;
          this.#offerFound(i, best[i]!, found);
          limits[i] = query.lower(best[i]!.worst?.score ?? Number.NEGATIVE_INFINITY);
        }
      }),
    );
    return best.map(({ held }) => held.toSorted(bestFirst));
  }

  #offerFound(query: number, best: Best<Found>, found: number): void {
    const rows = this.#foundRows;
    // They are all of one block.
    const memory = Math.floor(rows[0]! / this.#rows.place.pieceRows);
    const scores = this.#exactOf(memory).scores(query, rows, found);
    this.#scored += found;
    for (let i = 0; i < found; i++) best.offer({ row: rows[i]!, score: scores[i]! });
  }

  /** The byte addresses of the marks of those rows that are within the range. */
  #marksOf(rows: Iterable<number>, { from, until }: RowRange): number[] {
    const { layout } = this.#rows;
    const found: number[] = [];
    for (const row of rows) {
      if (!(Number.isInteger(row) && row >= from && row < until)) continue;
      found.push(blockAt(layout, row) + this.#marks + (row % BLOCK_ROWS));
    }
    return found;
  }

  /** What the queries leave out; rows that several of them leave out in the same list or marks are read once. */
  #markingOf(queries: readonly ScanQuery[], within: RowRange): Marking {
    const lists = new Map<Iterable<number>, number>();
    const marks = new Map<Uint8Array, number>();
    for (const [i, { leftOut, marked }] of queries.entries()) {
      if (leftOut !== undefined) lists.set(leftOut, (lists.get(leftOut) ?? 0) | (1 << i));
      if (marked !== undefined) marks.set(marked, (marks.get(marked) ?? 0) | (1 << i));
    }
    return {
      places: Array.from(lists, ([rows, bits]) => ({ at: this.#marksOf(rows, within), bits })),
      words: Array.from(marks, ([{ buffer, byteOffset, length }, bits]) => ({
        of: new Int32Array(buffer, byteOffset, length / 4),
        bits,
      })),
    };
  }

  /** Works while the marks of each query have its bit. */
  #marked({ places, words }: Marking, within: RowRange, work: () => void): void {
    const { bytes } = this.#rows;
    const all = new Int32Array(bytes.buffer);
    for (const { of, bits } of words) {
      this.#forEachWords(within, of.length, (at, first) => {
        for (let j = 0; j < BLOCK_WORDS; j++) all[at + j]! |= of[first + j]! * bits;
      });
    }
    for (const { at, bits } of places) for (const place of at) bytes[place]! |= bits;
    try {
      work();
    } finally {
      for (const { at } of places) for (const place of at) bytes[place] = 0;
      for (const { of } of words)
        this.#forEachWords(within, of.length, (at) => void all.fill(0, at, at + BLOCK_WORDS));
    }
  }

  /** Calls with where the marks of each block of the range begin, in the memory and among `length` marks of all rows, in words. */
  #forEachWords({ from, until }: RowRange, length: number, use: (at: number, first: number) => void): void {
    const end = Math.min(Math.ceil(until / BLOCK_ROWS), length / BLOCK_WORDS);
    for (let block = Math.floor(from / BLOCK_ROWS); block < end; block++)
      use((blockAt(this.#rows.layout, block * BLOCK_ROWS) + this.#marks) / 4, block * BLOCK_WORDS);
  }
}

/** The rows of a table, and a scanner for each scorer that was asked for. */
export class Scanners {
  readonly #rows: ScanRows;
  readonly #workspace: number;
  readonly #byScorer = new Map<ScorerName, Scanner>();

  constructor(rows: ScanRows, workspace = 0) {
    this.#rows = rows;
    this.#workspace = workspace;
  }

  of(scorer: ScorerName): Scanner {
    const found = this.#byScorer.get(scorer) ?? new Scanner(this.#rows, scorer, this.#workspace);
    this.#byScorer.set(scorer, found);
    return found;
  }
}

function isWorse(a: Found, b: Found): boolean {
  return a.score < b.score || (a.score === b.score && a.row > b.row);
}

/** Calls with parts of the range, each within a block. The first are small, since the limit is still far from the final one. */
function forEachPart(
  { from, until }: RowRange,
  use: (block: number, from: number, until: number) => void,
): void {
  let most = FIRST_ROWS;
  for (let row = from; row < until; ) {
    const block = Math.floor(row / BLOCK_ROWS);
    const start = block * BLOCK_ROWS;
    const end = Math.min(until, row + most, start + BLOCK_ROWS);
    use(block, row - start, end - start);
    row = end;
    most = Math.min(2 * most, BLOCK_ROWS);
  }
}
