/**
 * Twenty million rows of one type in one process, as a Markdown table: `npx node bench/many-rows.ts`. Fills a table by name,
 * compares exact lists with a loop over all rows, and ends with an error where they differ. With the defaults it takes 3 GiB.
 * --rows; --dim: few numbers, since so many rows of 128 take 15 GB.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type EntityKey, entityKey } from '../src/graph/entity.ts';
import { Best } from '../src/kernels/scan/best.ts';
import { layOutScan, mostScanRows } from '../src/kernels/scan/layout.ts';
import { bestFirst, type Found } from '../src/kernels/scan/scan.ts';
import { Scanner } from '../src/kernels/scan/scanner.ts';
import { VectorTable } from '../src/serve/vector-table.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '21000000' },
    dim: { type: 'string', default: '8' },
  },
});
const [rows, dim] = [Number(values.rows), Number(values.dim)];
const COUNT = 10;
const PASSES = 5;
/** Queries that share a pass. */
const QUERIES = 4;
/** Ids of ten digits, as those of accounts and posts are. */
const FIRST_ID = 1_000_000_000;

/** From −1 to below 1, the same each time for a row and a place in its vector. */
function numberAt(row: number, k: number): number {
  let hash = Math.imul(row * dim + k + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 8) / 2 ** 23 - 1;
}

function nameOf(row: number): EntityKey {
  return entityKey('tweet', String(FIRST_ID + row));
}

/** The best rows by squared distance, from the numbers themselves: no memory of the table is read. */
function bestByLoop(query: Float64Array): Found[] {
  const best = new Best<Found>(COUNT, (a, b) => bestFirst(a, b) > 0);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += (query[k]! - numberAt(row, k)) ** 2;
    best.offer({ row, score: -sum });
  }
  return best.held.toSorted(bestFirst);
}

const most = mostScanRows({ dim, scanners: 1 });
if (!(rows <= most))
  throw new Error(`--rows: expected at most ${most} of ${dim} numbers, seen ${values.rows}`);
const table = new VectorTable('tweet', dim, rows);
const vector = new Float32Array(dim);
const began = performance.now();
for (let row = 0; row < rows; row++) {
  for (let k = 0; k < dim; k++) vector[k] = numberAt(row, k);
  table.set(nameOf(row), vector);
}
const filled = performance.now() - began;

const scanner = new Scanner(table.scan, 'transe-l2', 'wasm-relaxed');
const queries = Array.from({ length: QUERIES }, (_, i) => ({
  vector: Float64Array.from({ length: dim }, (_, k) => numberAt(rows + i, k)),
}));
const alone: number[] = [];
const together: number[] = [];
const lists: Found[][] = [];
for (let pass = 0; pass < PASSES; pass++) {
  const before = performance.now();
  const [list] = scanner.top(queries.slice(0, 1), COUNT);
  const between = performance.now();
  lists.push(list!, ...scanner.top(queries, COUNT));
  alone.push(between - before);
  together.push((performance.now() - between) / QUERIES);
}
const expected = queries.map(({ vector }) => JSON.stringify(bestByLoop(vector)));
const found = new Set(lists.map((list) => JSON.stringify(list)));
if (found.size !== QUERIES || expected.some((list) => !found.has(list)))
  throw new Error('a list differs from that of a loop over all rows');
for (let row = 0; row < rows; row += 999_983)
  if (table.nameOf(row) !== nameOf(row) || table.rowOf(nameOf(row)) !== row)
    throw new Error(`row ${row} has another name`);

const { blockBytes } = layOutScan({ dim, scanners: 1 });
const GB = 1e9;
const figure = (value: number) => value.toFixed(2);
console.log(`${cpus()[0]?.model.trim()}, Node ${process.version}. ${table.size.toLocaleString('en')} rows of ${dim} numbers; at most ${most.toLocaleString('en')} fit.

| | |
|---|---:|
| scanned, GB | ${figure((rows * blockBytes) / 1024 / GB)} |
| scanned, vectors and times, GB | ${figure(table.bytes / GB)} |
| the whole process, GB | ${figure(process.memoryUsage().rss / GB)} |
| V8's heap, GB | ${figure(process.memoryUsage().heapUsed / GB)} |
| filling, µs a row | ${figure((1000 * filled) / rows)} |
| a query alone, ms | ${median(alone).toFixed(0)} |
| a query, four a pass, ms | ${median(together).toFixed(0)} |
| lists that differ from a loop over all rows | 0 |`);
