/**
 * The exact scan beside an index of usearch where vectors move, as Markdown: `npx node bench/churn.ts`. Both hold the same
 * vectors and take the same updates, in one process; they take turns. usearch is measured where it is installed:
 * `npm ci --prefix bench/peers/usearch`.
 * --updates: moved vectors between the two times that queries are measured; --log: folder of a log of files that an updater has
 * published to, whose last records are the updates; without it, --rows: vectors in clusters, --move: how far one moves, where
 * centres have length 1; --rounds, --queries: of each time; --efs: expansions of usearch's searches, separated by
 * commas; --dim, --cluster, --spread: as for bench/scan.ts.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Best } from '../src/kernels/scan/best.ts';
import { bestFirst, type Found } from '../src/kernels/scan/scan.ts';
import { Scanner } from '../src/kernels/scan/scanner.ts';
import { simdLevel } from '../src/kernels/select.ts';
import { VectorTable } from '../src/serve/vector-table.ts';
import { spread } from './kernel/bounds.ts';
import { median } from './median.ts';
import { clusterMoves, recordedMoves } from './moving.ts';

const { values } = parseArgs({
  options: {
    log: { type: 'string' },
    rows: { type: 'string', default: '245000' },
    updates: { type: 'string', default: '245000' },
    move: { type: 'string', default: '0.15' },
    rounds: { type: 'string', default: '9' },
    queries: { type: 'string', default: '32' },
    efs: { type: 'string', default: '64,256,512,1024' },
    dim: { type: 'string', default: '128' },
    cluster: { type: 'string', default: '500' },
    spread: { type: 'string', default: '0.5' },
  },
});
const [updates, rounds, queries] = [values.updates, values.rounds, values.queries].map(Number) as [
  number,
  number,
  number,
];
const efs = values.efs.split(',').map(Number);
const K = 10;
const TOGETHER = 4;
/** Vectors that are drawn, and then written or added, at a time. */
const AT_ONCE = 500;
const say = (line: string) => process.stderr.write(`${line}\n`);

/** What is used of usearch. `search` takes a positive whole `k`: usearch ends the process where it is NaN. */
interface UsearchIndex {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  remove(keys: BigUint64Array): unknown;
  search(vector: Float32Array, k: number, threads: number): { readonly keys: BigUint64Array };
  save(path: string): void;
  view(path: string): void;
}

/** Queries of one time, by way: of each round the mean, of all queries each, and the share of the best rows that were found. */
class Timed {
  readonly means: number[] = [];
  readonly each: number[] = [];
  #found = 0;
  #wanted = 0;

  found(best: readonly number[], seen: Iterable<number>): void {
    const set = new Set(seen);
    this.#wanted += best.length;
    this.#found += best.filter((row) => set.has(row)).length;
  }

  get cells(): string {
    const perSecond = this.means.map((ms) => 1000 / ms);
    const slowest = this.each.toSorted((a, b) => a - b)[Math.floor(0.99 * (this.each.length - 1))];
    const share = this.#wanted === 0 ? '' : (this.#found / this.#wanted).toFixed(3);
    return `${share} | ${spread(perSecond)} | ${slowest === undefined ? '' : slowest.toFixed(2)}`;
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
function residentBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage.rss();
}

/** Milliseconds of processor time: others use the cores too. */
function timeOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const clusters = {
  rows: Number(values.rows),
  dim: Number(values.dim),
  cluster: Number(values.cluster),
  spread: Number(values.spread),
};
const moving =
  values.log === undefined
    ? clusterMoves(clusters, updates, Number(values.move))
    : await recordedMoves(values.log, updates);
const { names, dim } = moving;
const rows = names.length;
const now = (row: number) => table.scan.vector(row);
const load = () => loadavg()[0]?.toFixed(1);
const loadBefore = load();

say(`${rows} vectors into the scan's table`);
const table = new VectorTable('tweet', dim, rows);
const [emptyBytes, emptyHeap] = [residentBytes(), process.memoryUsage().heapUsed];
let scanBuildMs = 0;
for (let first = 0; first < rows; first += AT_ONCE) {
  const count = Math.min(AT_ONCE, rows - first);
  const vectors = Array.from({ length: count }, (_, i) => moving.first(first + i));
  scanBuildMs += timeOf(() => {
    for (const [i, vector] of vectors.entries()) table.set(names[first + i]!, vector);
  });
}
const scanBytes = (residentBytes() - emptyBytes) / rows;
const heapBytes = (process.memoryUsage().heapUsed - emptyHeap) / rows;
const scanner = new Scanner(
  table.scan,
  'transe-l2',
  simdLevel() === 'relaxed' ? 'wasm-relaxed' : 'wasm-plain',
);

const folder = join(import.meta.dirname, 'peers', 'usearch', 'node_modules', 'usearch');
const settings = { dimensions: dim, metric: 'l2sq', connectivity: 16, expansion_add: 128 };
type Usearch = { readonly Index: new (settings: object) => UsearchIndex };
const usearch: Usearch | undefined = existsSync(folder)
  ? await import(join(folder, 'javascript', 'dist', 'esm', 'usearch.js'))
  : undefined;
const index = usearch && new usearch.Index(settings);
let [indexBuildMs, indexBytes] = [0, 0];
if (index !== undefined) {
  const before = residentBytes();
  for (let first = 0; first < rows; first += AT_ONCE) {
    const chunk = Array.from({ length: Math.min(AT_ONCE, rows - first) }, (_, i) => first + i);
    indexBuildMs += timeOf(addTo(index, chunk));
    if (first % 50_000 === 0)
      say(`${first} vectors in usearch's index, ${(indexBuildMs / 1000).toFixed(0)} s`);
  }
  indexBytes = (residentBytes() - before) / rows;
}

/** The rows' vectors as they are in the table, ready to be added. */
function addTo(to: UsearchIndex, chunk: readonly number[]): () => void {
  const keys = BigUint64Array.from(chunk, BigInt);
  const vectors = new Float32Array(chunk.length * dim);
  for (const [i, row] of chunk.entries()) vectors.set(table.scan.vector(row), i * dim);
  return () => to.add(keys, vectors, 1);
}

/** The best rows, every score by a loop over float64: what the scan must find. */
function bestOf(query: Float32Array): number[] {
  const best = new Best<Found>(K, (a, b) => bestFirst(a, b) > 0);
  for (let row = 0; row < rows; row++) {
    const vector = table.scan.vector(row);
    let sum = 0;
    for (let k = 0; k < dim; k++) {
      const difference = query[k]! - vector[k]!;
      sum -= difference * difference;
    }
    best.offer({ row, score: sum });
  }
  return best.held.toSorted(bestFirst).map(({ row }) => row);
}

const dir = await mkdtemp(join(tmpdir(), 'twhin-churn-'));
/** Queries by all ways, in turn. */
function measure(time: string): Map<string, Timed> {
  const scans = [new Timed(), new Timed()] as const;
  // usearch has no other way to search one index with several expansions.
  const path = join(dir, time);
  index?.save(path);
  const ways = (usearch === undefined ? [] : efs).map((ef) => {
    const view = new usearch!.Index({ ...settings, expansion_search: ef });
    view.view(path);
    return { name: `usearch, ef ${ef}`, view, timed: new Timed() };
  });
  for (let round = -1; round < rounds; round++) {
    say(`queries ${time}, round ${round + 1} of ${rounds}`);
    const asked = Array.from({ length: queries }, () => moving.query(now));
    const exact = asked.map((query) => ({ vector: Float64Array.from(query) }));
    const best: number[][] = [];
    const alone = exact.map((query, i) =>
      timeOf(() => {
        best[i] = scanner.top([query], K)[0]!.map(({ row }) => row);
      }),
    );
    if (String(best[0]) !== String(bestOf(asked[0]!))) throw new Error('the scan is not exact');
    const together = timeOf(() => {
      for (let i = 0; i < queries; i += TOGETHER) scanner.top(exact.slice(i, i + TOGETHER), K);
    });
    const mean = (times: readonly number[]) => times.reduce((sum, ms) => sum + ms, 0) / times.length;
    // The first round is there to compile, and to read the file.
    const counts = round >= 0;
    if (counts) {
      scans[0].means.push(mean(alone));
      scans[0].each.push(...alone);
      for (const list of best) scans[0].found(list, list);
      scans[1].means.push(together / queries);
    }
    for (const { view, timed } of ways) {
      const times = asked.map((query, i) => {
        let keys: Iterable<bigint> = [];
        const ms = timeOf(() => {
          keys = view.search(query, K, 1).keys;
        });
        if (counts) timed.found(best[i]!, Array.from(keys, Number));
        return ms;
      });
      if (!counts) continue;
      timed.means.push(mean(times));
      timed.each.push(...times);
    }
  }
  return new Map([
    ['scan', scans[0]],
    [`scan, ${TOGETHER} queries a pass`, scans[1]],
    ...ways.map(({ name, timed }) => [name, timed] as const),
  ]);
}

const fresh = measure('before');
await rm(join(dir, 'before'), { force: true });
say(`${updates} updates`);
const rates = { scan: [] as number[], usearch: [] as number[] };
let done = 0;
// A batch of updates has no key twice, which usearch would add in part.
for (let moves = moving.moves(AT_ONCE, now); moves.length > 0; moves = moving.moves(AT_ONCE, now)) {
  const scanMs = timeOf(() => {
    for (const { row, vector } of moves) table.set(names[row]!, vector);
  });
  rates.scan.push((1000 * moves.length) / scanMs);
  done += moves.length;
  if (index === undefined) continue;
  const moved = moves.map(({ row }) => row);
  const keys = BigUint64Array.from(moved, BigInt);
  const add = addTo(index, moved);
  const ms = timeOf(() => {
    index.remove(keys);
    add();
  });
  rates.usearch.push((1000 * moves.length) / ms);
  if (rates.scan.length % 40 === 0) say(`${done} updates`);
}
const after = measure('after');
await rm(dir, { recursive: true });

const whole = (value: number) => Math.round(value).toLocaleString('en');
/** The middle batch, the slowest and the fastest twentieth. */
function middle(perSecond: readonly number[]): string {
  const sorted = perSecond.toSorted((a, b) => a - b);
  const at = (share: number) => whole(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  return `${whole(median(perSecond))} (${at(0.05)} – ${at(0.95)})`;
}
console.log(`# The exact scan beside an index, where vectors move

    ${['npx node bench/churn.ts', ...process.argv.slice(2).map((arg) => (arg === values.log ? 'LOG' : arg))].join(' ')}

${cpus()[0]?.model.trim()}, ${availableParallelism()} cores shared with other work (load ${loadBefore} at the start, ${load()} at the end), Node ${process.version}. One thread.
${moving.about} ${whole(done)} updates between the two times. The scorer is transe-l2. ${rounds} rounds of ${queries} queries, in which all ways take turns.
All times are of the processor: how long others held the cores is not in them. usearch 2.26.2, l2sq, float32, connectivity ${settings.connectivity}, expansion ${settings.expansion_add} to
add, one thread; an update is a removal and an addition. recall@${K}: of the exact best ${K}, the share that was found; one query a round is checked with a loop over float64.

| way | recall@${K} before | queries/s a core: middle round (slowest – fastest) | p99, ms | recall@${K} after | queries/s a core | p99, ms |
|---|---:|---:|---:|---:|---:|---:|`);
for (const [name, timed] of fresh) console.log(`| ${name} | ${timed.cells} | ${after.get(name)?.cells} |`);
console.log(`
| | scan | usearch |
|---|---:|---:|
| all vectors put in, s | ${(scanBuildMs / 1000).toFixed(1)} | ${(indexBuildMs / 1000).toFixed(1)} |
| updates/s: middle batch of ${AT_ONCE} (a twentieth is below – above) | ${middle(rates.scan)} | ${middle(rates.usearch)} |
| bytes a vector, by the process's memory | ${whole(scanBytes)}, ${whole(heapBytes)} of them for names | ${whole(indexBytes)}, without names |`);
