/**
 * What the exact scan takes for a query, as a Markdown table: `npx node bench/scan.ts`. All ways take turns, beside the plain
 * ways to the same answers: every score by the training kernel in float32, and by a loop in TypeScript.
 * --rows: sizes, separated by commas; --dim; --count: rows to find; --rounds: of eight queries each; --cluster: rows about
 * a centre; --spread: how far from it they are, where centres have length 1.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { TopRows } from '../src/graph/nearest.ts';
import { scanRowBytes } from '../src/kernels/scan/layout.ts';
import type { ScanQuery } from '../src/kernels/scan/scan.ts';
import { Scanner } from '../src/kernels/scan/scanner.ts';
import { ScanTable } from '../src/kernels/scan/table.ts';
import { WasmKernel } from '../src/kernels/wasm.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import type { ModelSettings, ScorerName } from '../src/model/settings.ts';
import { Table } from '../src/model/table.ts';
import { Clusters } from './clusters.ts';
import { spread } from './kernel/bounds.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '245000,1000000' },
    dim: { type: 'string', default: '128' },
    count: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '9' },
    cluster: { type: 'string', default: '500' },
    spread: { type: 'string', default: '0.5' },
  },
});
const dim = Number(values.dim);
const count = Number(values.count);
const QUERIES = 8;
const TOGETHER = 4;
/** Scores that the kernel computes at a time. */
const PIECE = 4_096;
const WRITES = 20_000;
const SCORERS: readonly ScorerName[] = ['transe-l2', 'twhin', 'transe-l1'];

/** A way to the best rows. */
interface Way {
  readonly name: string;
  /** Rows found for each query; the queries may share a pass. */
  top(queries: readonly ScanQuery[]): void;
  /** Whether several queries can share a pass. */
  readonly shares: boolean;
  /** Rows scored exactly so far, where this is not every row. */
  readonly scored?: () => number;
}

/** Figures of one round: milliseconds of processor time a query, and the share of rows scored exactly. */
interface Round {
  readonly alone: number;
  readonly together: number;
  readonly share: number;
}

function scanning(table: ScanTable, scorer: ScorerName, build: 'wasm-plain' | 'wasm-relaxed'): Way {
  const scanner = new Scanner(table, scorer, build);
  return {
    name: `scan, ${build}`,
    shares: true,
    top: (queries) => scanner.top(queries, count),
    scored: () => scanner.scored,
  };
}

/** Every score by the training kernel in float32. Row 0 of its table is the anchor, and row 1 the relation, of zeros. */
function byKernel(table: Table, scorer: ScorerName): Way {
  const kernel = new WasmKernel('wasm-relaxed', table, settingsOf(scorer), SIZE);
  const candidates = Int32Array.from({ length: table.rows - 2 }, (_, i) => i + 2);
  const scores = new Float32Array(candidates.length);
  return {
    name: 'kernel, float32, wasm-relaxed',
    shares: false,
    top: ([query]) => {
      table.vector(0).set(query!.vector);
      kernel.scoreMatrix(Int32Array.of(0), Int32Array.of(1), candidates, scores);
      const best = new TopRows(count);
      for (let i = 0; i < scores.length; i++) best.offer(i, scores[i]!);
    },
  };
}

/** Every score in a loop over float32 vectors. */
function byLoop(vectors: Float32Array, rows: number, stride: number, scorer: ScorerName): Way {
  return {
    name: 'loop, float32, TypeScript',
    shares: false,
    top: ([query]) => {
      const asked = Float32Array.from(query!.vector);
      const best = new TopRows(count);
      for (let row = 0; row < rows; row++) best.offer(row, scoreOf(scorer, asked, vectors, row * stride));
    },
  };
}

function scoreOf(scorer: ScorerName, query: Float32Array, vectors: Float32Array, start: number): number {
  let sum = 0;
  if (scorer === 'twhin') for (let k = 0; k < dim; k++) sum += query[k]! * vectors[start + k]!;
  else if (scorer === 'transe-l1')
    for (let k = 0; k < dim; k++) sum -= Math.abs(query[k]! - vectors[start + k]!);
  else {
    for (let k = 0; k < dim; k++) {
      const difference = query[k]! - vectors[start + k]!;
      sum -= difference * difference;
    }
  }
  return sum;
}

const SIZE = { maxEdges: 1, maxCandidates: PIECE };

function settingsOf(scorer: ScorerName): ModelSettings {
  const numbers = { beta: 1, margin: 0, negativeWeight: 1, learningRate: 0.1 };
  return { dim, scorer, loss: 'softmax', unitBall: false, ...numbers };
}

/** One round of a way: the same queries alone, and four in a pass. */
function turn(way: Way, queries: readonly ScanQuery[], rows: number): Round {
  const before = way.scored?.() ?? 0;
  const alone = timeOf(() => {
    for (const query of queries) way.top([query]);
  });
  const share = way.scored === undefined ? 1 : (way.scored() - before) / queries.length / rows;
  const together = timeOf(() => {
    if (!way.shares) return;
    for (let i = 0; i < queries.length; i += TOGETHER) way.top(queries.slice(i, i + TOGETHER));
  });
  const perQuery = (ms: number) => ms / queries.length;
  return { alone: perQuery(alone), together: perQuery(together), share };
}

/** Milliseconds of processor time: others use the cores too. */
function timeOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function measure(rows: number): void {
  const world = new Clusters({
    rows,
    dim,
    cluster: Number(values.cluster),
    spread: Number(values.spread),
  });
  const scanned = new ScanTable({ dim, maxRows: rows, scanners: 1 });
  const table = new Table({
    dim,
    maxRows: rows + 2,
    workspaceBytes: workspaceBytes({ dim }, SIZE.maxEdges, SIZE.maxCandidates),
  });
  table.addRows(rows + 2);
  for (let row = 0; row < rows; row++) {
    const vector = world.next();
    scanned.write(row, vector);
    table.vector(row + 2).set(vector);
  }
  const [first, stride] = [table.at(2), table.stride];
  const loops = table.floats.subarray(first);
  const groups = SCORERS.map((scorer) => ({
    scorer,
    ways: [
      scanning(scanned, scorer, 'wasm-relaxed'),
      scanning(scanned, scorer, 'wasm-plain'),
      byKernel(table, scorer),
      byLoop(loops, rows, stride, scorer),
    ].map((way) => ({ way, rounds: [] as Round[] })),
  }));
  const writes: number[] = [];
  for (let round = -1; round < Number(values.rounds); round++) {
    const queries = Array.from({ length: QUERIES }, () => ({ vector: Float64Array.from(world.next()) }));
    for (const { ways } of groups) {
      for (const { way, rounds } of ways) {
        const figures = turn(way, queries, rows);
        // The first round is there to compile.
        if (round >= 0) rounds.push(figures);
      }
    }
    const perSecond = writing(scanned, world, rows);
    if (round >= 0) writes.push(perSecond);
  }
  const thousands = writes.map((perSecond) => perSecond / 1000);
  console.log(`
${rows.toLocaleString('en')} rows, ${(scanned.memoryBytes / 2 ** 20).toFixed(0)} MiB (${scanRowBytes(scanned.place)} bytes each). \`write\` of rows anywhere: ${spread(thousands)} thousand a second.

| scorer | way | ms a query, alone | ms a query, four a pass | rows scored exactly |
|---|---|---:|---:|---:|`);
  for (const { scorer, ways } of groups) {
    for (const { way, rounds } of ways) {
      const of = (key: keyof Round) => rounds.map((round) => round[key]);
      const together = way.shares ? spread2(of('together')) : '';
      const share = way.scored ? `${(100 * median(of('share'))).toFixed(2)} %` : '';
      console.log(`| ${scorer} | ${way.name} | ${spread2(of('alone'))} | ${together} | ${share} |`);
    }
  }
}

function writing(table: ScanTable, world: Clusters, rows: number): number {
  const vectors = Array.from({ length: 500 }, () => world.next());
  const places = Array.from({ length: WRITES }, () => world.random.below(rows));
  const ms = timeOf(() => {
    for (const [i, row] of places.entries()) table.write(row, vectors[i % vectors.length]!);
  });
  return (1000 * WRITES) / ms;
}

/** `1.52 (1.43 – 1.60)`: the middle round, the fastest and the slowest. */
function spread2(values: readonly number[]): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)];
  return `${middle.toFixed(2)} (${least.toFixed(2)} – ${most.toFixed(2)})`;
}

const load = () => loadavg()[0]?.toFixed(1);
const loadBefore = load();
console.log(`# Exact scan

    ${['npx node bench/scan.ts', ...process.argv.slice(2)].join(' ')}

${cpus()[0]?.model.trim()}, ${availableParallelism()} cores shared with other work (load ${loadBefore} at the start), Node ${process.version}. One thread. The best ${count} of all
rows at dim ${dim}, in clusters of ${values.cluster} about centres of length 1, at a distance of ${values.spread}; queries are such vectors too. The middle of
${values.rounds} rounds of ${QUERIES} queries in which all ways take turns (fastest – slowest). Ranks are of rows anywhere, most of them in the
middle of all: those need the most exact scores. The kernel and the loop sort float32 scores, and are not exact. All times
are of the processor.`);
for (const rows of values.rows.split(',').map(Number)) measure(rows);
console.log(`\nLoad at the end: ${load()}.`);
