import { createKernel } from '../../src/kernels/select.ts';
import { workspaceBytes } from '../../src/kernels/workspace.ts';
import type { Chunk, KernelName } from '../../src/model/kernel.ts';
import type { LossName, ModelSettings, ScorerName } from '../../src/model/settings.ts';
import { Table } from '../../src/model/table.ts';
import { Random } from '../../src/sampling/random.ts';

/** One of those that take turns. */
export interface Contender {
  readonly name: string;
  /** Floating-point operations of one edge, or of one unit of `measure`. */
  readonly operations: number;
  /** Works for about so many ms of CPU; gives thousands of edges for each second of CPU. */
  measure(ms: number): number;
}

/** CPU time of the calling thread in ms: on a shared machine, time on the wall is mostly that of others. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** What a step works on. */
export interface Workload {
  readonly dim: number;
  readonly scorer: ScorerName;
  readonly loss: LossName;
  /** Edges of a chunk; candidates of a side that are the chunk's own, and uniform ones. */
  readonly edges: number;
  readonly inBatch: number;
  readonly uniform: number;
  readonly unitBall: boolean;
  readonly rows: number;
}

/** Chunks made before the clock starts, and gone through again and again. */
const CHUNKS = 48;
const RELATIONS = 8;
/** Coprime to any number of rows that is no multiple of it: ranks one after another are rows far apart. */
const SCATTER = 7_368_787;

/** A kernel on a table of its own, full of random vectors of a length of about 1. folders: see `createKernel`. */
export function kernelOn(
  kernelName: KernelName,
  workload: Workload,
  name: string,
  folders: readonly string[] = [],
): Contender {
  const { dim, scorer, loss, edges, rows, unitBall } = workload;
  const settings: ModelSettings = {
    ...{ dim, scorer, loss, unitBall },
    beta: scorer === 'twhin' ? 1 : scorer === 'transe-l1' ? 9 / Math.sqrt(dim) : 9,
    margin: loss === 'margin' ? 1 : 0,
    negativeWeight: loss === 'softmax' ? 3 : 1,
    learningRate: 0.05,
  };
  const maxCandidates = workload.inBatch + workload.uniform;
  const table = new Table({
    dim,
    maxRows: rows,
    workspaceBytes: workspaceBytes(settings, edges, maxCandidates),
  });
  const random = Random.seeded(1);
  scatter(table, rows, random);
  const kernel = createKernel(kernelName, table, settings, { maxEdges: edges, maxCandidates }, folders);
  const chunks = Array.from({ length: CHUNKS }, () => contentOf(workload, random));
  let next = 0;
  return {
    name,
    // Three matrix products of 2 · K · d on each of two sides. Other work is not counted.
    operations: 12 * maxCandidates * dim,
    measure(ms) {
      const began = threadMs();
      let trained = 0;
      while (threadMs() - began < ms) {
        chunks[next++ % CHUNKS]?.(kernel.chunk);
        kernel.step();
        trained += edges;
      }
      return trained / (threadMs() - began);
    },
  };
}

/** Random rows; past the first hundred thousand, the same ones again, which takes a hundredth of the time. */
function scatter(table: Table, rows: number, random: Random): void {
  table.addRows(rows);
  const { floats, stride, dim } = table;
  const drawn = Math.min(rows, 100_000);
  for (let row = 0; row < drawn; row++) {
    const vector = table.vector(row);
    for (let k = 0; k < dim; k++) vector[k] = (2 * random.uniform() - 1) * Math.sqrt(3 / dim);
    floats[table.at(row) + table.accumulator] = 0.1;
  }
  for (let row = drawn; row < rows; row += drawn) {
    const count = Math.min(drawn, rows - row);
    floats.copyWithin(table.at(row), table.at(0), table.at(0) + count * stride);
  }
}

/** Puts one chunk into a kernel's: ends by Zipf's law over all rows, uniform candidates, own positives masked. */
function contentOf({ edges, inBatch, uniform, rows }: Workload, random: Random): (chunk: Chunk) => void {
  const count = inBatch + uniform;
  const entities = rows - 2 * RELATIONS;
  const any = () => 2 * RELATIONS + random.below(entities);
  const zipf = () => {
    const rank = Math.floor(entities ** random.uniform()) - 1;
    return 2 * RELATIONS + ((rank * SCATTER) % entities);
  };
  const [lhs, rhs] = [Int32Array.from({ length: edges }, zipf), Int32Array.from({ length: edges }, zipf)];
  const side = (ends: Int32Array) => {
    const candidates = Int32Array.from({ length: count }, (_, j) => (j < inBatch ? (ends[j] ?? 0) : any()));
    const isOwn = (at: number) => ends[Math.floor(at / count)] === candidates[at % count];
    const mask = Uint8Array.from({ length: edges * count }, (_, at) => (isOwn(at) ? 1 : 0));
    return { ends, candidates, mask };
  };
  const relation = Int32Array.from({ length: edges }, (_, i) => i % RELATIONS);
  const sides = { lhs: side(lhs), rhs: side(rhs) };
  return (chunk) => {
    chunk.edges = edges;
    chunk.relation.set(relation);
    for (const name of ['lhs', 'rhs'] as const) {
      const { ends, candidates, mask } = sides[name];
      chunk[name].set(ends);
      chunk.sides[name].count = candidates.length;
      chunk.sides[name].candidates.set(candidates);
      chunk.sides[name].mask.set(mask);
    }
  };
}
