import { parts, roundUp, START } from '../workspace.ts';

export const PAGE_BYTES = 65_536;
/** Pages of a WebAssembly memory of 4 GiB. */
const MAX_PAGES = 65_536;

/** Rows of a block: the limit for rows to be scored follows the best rows found from block to block. */
export const BLOCK_ROWS = 1024;
/** Queries that share a pass over the rows. */
export const MAX_QUERIES = 4;
/** Float32 coefficients at the start of a query; see `assembly/bounds.ts`. */
export const COEFFICIENTS = 4;

/** What is summed over the numbers of a vector that is written; see `encode.ts`. */
export const CODE_SUMS = 3;

export interface ScanSize {
  /** Numbers in a vector. */
  readonly dim: number;
  readonly maxRows: number;
  /** Scanners that work at the same time, each in a workspace of its own. */
  readonly scanners: number;
  /** Rows whose vectors share a memory, in whole blocks; as many as it has room for unless given. */
  readonly pieceRows?: number;
}

/** Byte addresses and lengths in the memory that is scanned. */
export type ScanLayout = Readonly<ReturnType<typeof layOutScan>>;
/** Byte addresses and lengths in a memory with vectors. */
export type VectorLayout = Readonly<ReturnType<typeof layOutVectors>>;

/**
 * The memory that is scanned. It grows by blocks of rows, and no row ever moves.
 *
 *     memory:      | constants of the compiler | rows in use, int32 | incoming vector, float32 | its sums, float64 | workspace of scanner 0 | 1 | … | block 0 | block 1 | … | room to grow
 *     workspace:   | query 0 | query 1 | query 2 | query 3 | found rows, int32 |
 *     query:       | coefficients, float32 | codes, int8 | vector, float32 |
 *     block:       | codes, int8 [1024, codeDim] | measures [256] | marks of scanner 0 | 1 | … |
 *     measures:    | scales, float32 [4] | residuals [4] | lengths [4] | sums [4] |, of four rows
 *
 * A row's codes times its scale are the decoded vector. The residual is the L2 norm of the vector without the decoded
 * vector, rounded up, or −∞ where the row is cleared; the length is the L2 norm of the decoded vector, rounded up; the sum is
 * that of the decoded vector. `marks`: a byte for each row, with a bit for each query that leaves the row out. `codeDim` is
 * dim rounded up to a SIMD register of codes, `paddedDim` to two registers of floats; the padding is zero.
 */
export function layOutScan({ dim, scanners }: Pick<ScanSize, 'dim' | 'scanners'>) {
  const codeDim = roundUp(dim, 16);
  const paddedDim = padded(dim);

  const query = parts();
  query.add(4 * COEFFICIENTS);
  const queryCodes = query.add(codeDim);
  const queryFloats = query.add(4 * codeDim);

  const workspace = parts();
  workspace.add(MAX_QUERIES * query.end());
  const foundRows = workspace.add(4 * BLOCK_ROWS);

  const block = parts();
  block.add(BLOCK_ROWS * codeDim);
  const measures = block.add(16 * BLOCK_ROWS);
  const marks = block.add(scanners * BLOCK_ROWS);

  const header = parts();
  header.add(4);
  const incoming = header.add(4 * paddedDim);
  const sums = header.add(8 * CODE_SUMS);

  const workspaces = START + header.end();
  return {
    codeDim,
    rowsInUse: START,
    /** A vector that is to be written, and what is summed over its numbers. */
    incoming: START + incoming,
    sums: START + sums,
    workspaces,
    workspaceBytes: workspace.end(),
    queryBytes: query.end(),
    blocks: roundUp(workspaces + scanners * workspace.end(), PAGE_BYTES),
    blockBytes: block.end(),
    /** Within a workspace. */
    foundRows,
    /** Within a query. */
    queryCodes,
    queryFloats,
    /** Within a block; codes come first. */
    measures,
    marks,
  };
}

/**
 * A memory with vectors, from which the few rows that a scan finds are scored exactly. It grows by blocks of rows too; rows
 * beyond it have theirs in the next one.
 *
 *     memory:      | constants of the compiler | workspace of scanner 0 | 1 | … | vectors, float32 [rows, paddedDim] | room to grow
 *     workspace:   | queries, float64 [4, paddedDim] | found rows, int32 | their scores, float64 |
 */
export function layOutVectors({ dim, scanners }: Pick<ScanSize, 'dim' | 'scanners'>) {
  const paddedDim = padded(dim);
  const vectorBytes = 4 * paddedDim;

  const workspace = parts();
  workspace.add(MAX_QUERIES * 8 * paddedDim);
  // Rows are scored four at a time: the last ones of a block can be written and scored again up to three times.
  const foundRows = workspace.add(4 * (BLOCK_ROWS + 3));
  const foundScores = workspace.add(8 * (BLOCK_ROWS + 3));

  const vectors = roundUp(START + scanners * workspace.end(), PAGE_BYTES);
  return {
    paddedDim,
    vectorBytes,
    workspaces: START,
    workspaceBytes: workspace.end(),
    queryBytes: 8 * paddedDim,
    vectors,
    blocks: vectors,
    blockBytes: BLOCK_ROWS * vectorBytes,
    /** Within a workspace; queries come first. */
    foundRows,
    foundScores,
    /** The rows that it has room for. */
    mostRows: blocksIn(vectors, BLOCK_ROWS * vectorBytes) * BLOCK_ROWS,
  };
}

/** The byte address of the block that has the row. */
export function blockAt({ blocks, blockBytes }: ScanLayout, row: number): number {
  return blocks + Math.floor(row / BLOCK_ROWS) * blockBytes;
}

/** The index, in float32, of the row's scale; its residual, length and sum follow, each four further on. */
export function measuresAt(layout: ScanLayout, row: number): number {
  const within = row % BLOCK_ROWS;
  return (blockAt(layout, row) + layout.measures) / 4 + (within >> 2) * 16 + (within & 3);
}

/** Pages of a memory with this many rows, all their blocks whole. */
export function pagesOf(
  { blocks, blockBytes }: Pick<ScanLayout, 'blocks' | 'blockBytes'>,
  rows: number,
): number {
  return Math.ceil((blocks + Math.ceil(rows / BLOCK_ROWS) * blockBytes) / PAGE_BYTES);
}

/** Bytes of a row, in all memories of a table together. */
export function scanRowBytes(size: Pick<ScanSize, 'dim' | 'scanners'>): number {
  return layOutScan(size).blockBytes / BLOCK_ROWS + layOutVectors(size).vectorBytes;
}

/** The most rows that a table can have: as many as can be scanned in one WebAssembly memory. None where no block has room. */
export function mostScanRows(size: Pick<ScanSize, 'dim' | 'scanners'>): number {
  const { blocks, blockBytes } = layOutScan(size);
  if (layOutVectors(size).mostRows === 0) return 0;
  return blocksIn(blocks, blockBytes) * BLOCK_ROWS;
}

/** Blocks that fit into a WebAssembly memory behind what comes first. */
function blocksIn(first: number, blockBytes: number): number {
  return Math.max(0, Math.floor((MAX_PAGES * PAGE_BYTES - first) / blockBytes));
}

/** Floats of a vector with its padding. */
function padded(dim: number): number {
  return roundUp(dim, 8);
}
