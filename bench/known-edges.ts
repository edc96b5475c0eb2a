/**
 * What the live edges cost in memory and in processor time, to be kept out of the negatives and to be rehearsed, as a Markdown table:
 * `npx node bench/known-edges.ts`. --edges, --rows: how many; ends by a power law, so that some are hubs.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { KnownPositives } from '../src/sampling/known-positives.ts';
import { Random } from '../src/sampling/random.ts';

const { values } = parseArgs({
  options: { edges: { type: 'string', default: '10000000' }, rows: { type: 'string', default: '2000000' } },
});
const [edges, rows] = [Number(values.edges), Number(values.rows)];
const random = Random.seeded(1);
/** One end in forty is at one row in ten thousand. */
const end = () => Math.floor(rows * random.uniform() ** 2.5);
const memory = () => {
  const { arrayBuffers } = process.memoryUsage();
  return arrayBuffers;
};

const before = memory();
const known = new KnownPositives({ maxRows: rows, maxEdges: edges });
const loadMs = timed(() => {
  for (let i = 0; i < edges; i++) known.load(end(), i % 3, end());
  known.settle();
});
const bytes = memory() - before;
const DRAWS = 1_000_000;
const drawMs = timed(() => {
  for (let i = 0; i < DRAWS; i++) known.draw(random);
});
const CHANGES = 100_000;
const gone = Array.from({ length: CHANGES }, () => known.draw(random));
const changeMs = timed(() => {
  for (const { lhs, relation, rhs } of gone) known.remove(lhs, relation, rhs);
  for (const { lhs, relation, rhs } of gone) known.add(lhs, relation, rhs);
});

console.log('# Live edges in memory\n');
console.log(`    npx node bench/known-edges.ts --edges ${edges} --rows ${rows}\n`);
console.log(`${cpus()[0]?.model}, Node ${process.version}.\n`);
console.log('| | |\n|---|---|');
console.log(`| loaded and sorted | ${(loadMs / 1000).toFixed(1)} s |`);
console.log(
  `| memory an edge, with ${(edges / rows).toFixed(1)} edges a row | ${(bytes / edges).toFixed(1)} bytes |`,
);
console.log(`| a draw | ${((drawMs * 1e6) / DRAWS).toFixed(0)} ns |`);
console.log(`| an edge taken out and put in again | ${((changeMs * 1e6) / CHANGES).toFixed(0)} ns |`);

/** Milliseconds of processor time: what else the machine does is not counted. */
function timed(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
