import { FatalError } from '../errors/errors.ts';
import type { Kernel } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, createChunk } from './chunk.ts';

/** Below this, from 1,024 on, the compiler puts its constants. */
export const START = 2048;
/** Parts of a memory start on cache lines. */
const ALIGNMENT = 64;
const FLOAT_BYTES = 4;
/** Rows of a block are this much longer than their content, so that their stride is not a power of two. */
const ROW_SPARE_FLOATS = 16;

/**
 * Chunks of each thread beside the first. While the thread steps on one, the others are filled ahead: enough to keep it busy while
 * the first thread, which fills all of them, does something else or waits for a processor.
 */
export const LANES = 10;

/**
 * Bytes to keep free below a table's rows (`workspaceBytes` of its constructor) for a wasm kernel with chunks of at most
 * this many edges and candidates per side, stepped on by this many threads.
 */
export function workspaceBytes(
  { dim }: Pick<ModelSettings, 'dim'>,
  maxEdges: number,
  maxCandidates: number,
  threads = 1,
): number {
  return layOutLanes(dim, { maxEdges, maxCandidates }, Math.max(1, threads - 1)).bytes;
}

/**
 * The byte addresses of a workspace's blocks by name, and their strides; see `assembly/layout.ts`. `chunk` is what a step reads beside
 * the table; `scratch` is of the thread that compares a side; `gradients` are of the step.
 */
export type Workspace = Readonly<ReturnType<typeof blocksFrom>>;

/**
 * Lays out the first thread's workspace, one block after the other. The other threads' lie above it:
 *
 *     | free | chunk: rows, candidates, masks, corrections, losses | gradients by edge, by candidate, by distinct row |
 *     | scratch: anchors, positives, candidates, transposed; [edges, candidates] scores and weights, plain and transposed |
 *
 * Blocks filled by a matrix product are rounded up to its tile of 4 rows by 8 columns. A wide tile has 16 columns, of which the last 8
 * can be spare floats.
 */
export function layOut(dim: number, size: ChunkSize): Workspace {
  return blocksFrom(START, dim, size);
}

/** Workspaces of threads 1, 2, … beside the first, up to byte `bytes`; in the scratch `helping`, the first thread computes a side for one. */
export function layOutLanes(dim: number, size: ChunkSize, thread: number) {
  const below = thread === 1 ? layOut(dim, size) : layOutLanes(dim, size, thread - 1);
  const first = blocksFrom(below.bytes, dim, size);
  const { add, end } = parts(first.bytes);
  const chunks = [first.chunk, ...Array.from({ length: LANES - 1 }, () => chunkBlocks(add, size))];
  const helping = scratchBlocks(add, dim, size);
  return { lanes: chunks.map((chunk): Workspace => ({ ...first, chunk })), helping, bytes: end() };
}

type Block = ReturnType<typeof parts>['add'];

function chunkBlocks(block: Block, { maxEdges, maxCandidates }: ChunkSize) {
  const { edges, candidates } = lengthsOf(0, { maxEdges, maxCandidates });
  // The mask is read four bytes at a time, to the end of a tile.
  const maskBytes = maxEdges * maxCandidates + 8;
  return {
    lhs: block(edges * FLOAT_BYTES),
    relation: block(edges * FLOAT_BYTES),
    rhs: block(edges * FLOAT_BYTES),
    edgeWeights: block(edges * FLOAT_BYTES),
    lhsCandidates: block(candidates * FLOAT_BYTES),
    rhsCandidates: block(candidates * FLOAT_BYTES),
    lhsMask: block(maskBytes),
    rhsMask: block(maskBytes),
    lhsCorrections: block(candidates * FLOAT_BYTES),
    rhsCorrections: block(candidates * FLOAT_BYTES),
    losses: block(edges * FLOAT_BYTES),
  };
}

/** Lengths of the blocks' parts: numbers of a vector, edges, candidates, and bytes of a row. */
function lengthsOf(dim: number, { maxEdges, maxCandidates }: ChunkSize) {
  const floats = roundUp(dim, 8);
  const edges = roundUp(maxEdges, 4);
  const candidates = roundUp(Math.max(maxCandidates, 1), 8);
  return {
    ...{ floats, edges, candidates },
    blockRowBytes: (floats + ROW_SPARE_FLOATS) * FLOAT_BYTES,
    weightRowBytes: (candidates + ROW_SPARE_FLOATS) * FLOAT_BYTES,
    edgeRowBytes: (edges + ROW_SPARE_FLOATS) * FLOAT_BYTES,
  };
}

function scratchBlocks(block: Block, dim: number, size: ChunkSize) {
  const { floats, edges, candidates, blockRowBytes, weightRowBytes, edgeRowBytes } = lengthsOf(dim, size);
  return {
    anchors: block(edges * blockRowBytes),
    positives: block(edges * blockRowBytes),
    candidates: block(candidates * blockRowBytes),
    anchorsTransposed: block(floats * edgeRowBytes),
    candidatesTransposed: block(floats * weightRowBytes),
    weights: block(edges * weightRowBytes),
    weightsTransposed: block(candidates * edgeRowBytes),
    candidateNorms: block(candidates * FLOAT_BYTES),
    distances: block(candidates * FLOAT_BYTES),
    candidatePulls: block(candidates * FLOAT_BYTES),
    sums: block(8 * FLOAT_BYTES),
    scoredRows: block(candidates * FLOAT_BYTES),
  };
}

function blocksFrom(start: number, dim: number, size: ChunkSize) {
  const { maxEdges, maxCandidates } = size;
  const { edges, candidates, blockRowBytes, weightRowBytes, edgeRowBytes } = lengthsOf(dim, size);
  const anchorGradientsBytes = edges * blockRowBytes;
  const candidateGradientsBytes = candidates * blockRowBytes;
  const edgeBytes = edges * FLOAT_BYTES;
  // lhs, rhs and two relation rows per edge, and the candidates of both sides.
  const distinctRows = 4 * maxEdges + 2 * maxCandidates;
  const slots = 2 ** Math.ceil(Math.log2(2 * distinctRows + 1));
  const { add: block, end } = parts(start);
  return {
    chunk: chunkBlocks(block, size),
    gradients: {
      anchorGradients: block(2 * anchorGradientsBytes),
      candidateGradients: block(2 * candidateGradientsBytes),
      positiveWeights: block(2 * edgeBytes),
      sideLosses: block(2 * edgeBytes),
      // Rows of relations and positives, whose gradients are summed in place.
      gradients: block(4 * maxEdges * blockRowBytes),
      gradientRows: block(distinctRows * FLOAT_BYTES),
      gradientAddresses: block(distinctRows * FLOAT_BYTES),
      slotRows: block(slots * FLOAT_BYTES),
      slotNumbers: block(slots * FLOAT_BYTES),
    },
    scratch: scratchBlocks(block, dim, size),
    strides: {
      ...{
        blockRowBytes,
        anchorGradientsBytes,
        candidateGradientsBytes,
        weightRowBytes,
        edgeRowBytes,
        edgeBytes,
      },
      slotMask: slots - 1,
      maxCandidates,
    },
    /** The end of the last block: bytes from address 0. */
    bytes: end(),
  };
}

/** Parts of a memory one after the other from `start` on: `add` gives where the next one begins. */
export function parts(start = 0) {
  let end = start;
  const add = (bytes: number): number => {
    const address = end;
    end += roundUp(bytes, ALIGNMENT);
    return address;
  };
  return { add, end: () => end };
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** @throws FatalError when the table has too little room below its rows for the workspace. */
export function needRoom(table: Table, { bytes }: { readonly bytes: number }, size: ChunkSize): void {
  if (table.base < bytes) {
    throw new FatalError(
      'fault',
      `the wasm kernel needs ${bytes} bytes below the table's rows and there are ${table.base}; ` +
        `make the table with workspaceBytes(settings, ${size.maxEdges}, ${size.maxCandidates}) and its threads`,
    );
  }
}

/** The chunk and losses of a workspace, as views of the table's memory. @throws FatalError where the table has too little room. */
export function chunkIn(
  table: Table,
  workspace: Workspace,
  settings: Pick<ModelSettings, 'learningRate'>,
  size: ChunkSize,
): Pick<Kernel, 'chunk' | 'losses'> {
  needRoom(table, workspace, size);
  // A shared memory never moves: these views stay valid when the table grows.
  const { buffer } = table.memory;
  return {
    chunk: createChunk(size, settings, { buffer, addresses: workspace.chunk }),
    losses: new Float32Array(buffer, workspace.chunk.losses, size.maxEdges),
  };
}
