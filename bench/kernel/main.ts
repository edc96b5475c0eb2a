/**
 * Edges a second of one training step in one thread, as Markdown: `npm run -s bench > bench/results/kernel.md`.
 * Contenders take turns, so that a busy machine slows all; the middle of all rounds is shown.
 * --check: the main ratios only, and exit code 1 where one is under its bound. --rounds N, --ms N: of each turn.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../median.ts';
import { bounds, held, lines, spread } from './bounds.ts';
import { ratio, takeTurns } from './contender.ts';
import { BUILDS, mainGroup, referenceGroup, VARIATIONS, variation } from './groups.ts';
import { peak } from './peak.ts';

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '7' },
    ms: { type: 'string', default: '300' },
  },
});
const turns = { rounds: Number(values.rounds), ms: Number(values.ms) };
const load = () => loadavg()[0]?.toFixed(1) ?? '?';
const [processor] = cpus();
const loadBefore = load();

const { contenders, notes } = await mainGroup();
const measured = await takeTurns([peak(), ...contenders], turns);
const found = bounds(measured);

if (values.check) {
  for (const bound of found) {
    console.log(
      `${held(bound) ? 'ok  ' : 'FAIL'}  ${bound.what}: ${show(bound.value)}, at least ${show(bound.least)}`,
    );
  }
  for (const note of notes) console.log(note);
  process.exitCode = found.every(held) ? 0 : 1;
} else {
  await report();
}

async function report(): Promise<void> {
  console.log(`# Kernels: a training step in one thread

    npm run -s bench > bench/results/kernel.md

${processor?.model.trim() ?? 'Unknown processor'}, ${availableParallelism()} cores shared with other work (load ${loadBefore} at the start), Node ${process.version}. ${notes.join(' ')}

Ids by Zipf's law over a table of a million rows, own positives masked, chunks made beforehand. Shape 1: twhin, logistic,
chunks of 128 edges, 64 in-batch and 64 uniform negatives a side, d = 128. Shape 2, the default recipe: transe-l2, softmax,
unit ball, chunks of 64, 64 in-batch and 192 uniform. Thousands of edges for each second of CPU: the middle of
${turns.rounds} rounds of ${turns.ms} ms in which all take turns (slowest – fastest). GFLOP/s: 12 · K · d operations an edge. The
peak is a loop of 128-bit fused multiply-adds and nothing else; of the peak: in the same round.

| | k edges/s of CPU | GFLOP/s | of the peak |
|---|---|---|---|
${lines(measured).join('\n')}

| ratio, in the same round | measured | bound |
|---|---|---|
${found.map(({ what, value, least }) => `| ${what} | ${show(value)} | ${show(least)} |`).join('\n')}

One thing changed at a time, each line against a peak of its own:

| | ${BUILDS.map((build) => `${build}, k edges/s | GFLOP/s`).join(' | ')} | ${BUILDS[0]}, of the peak |
|---|${'---|---|'.repeat(BUILDS.length)}---|`);
  for (const [name, workload] of VARIATIONS) {
    const own = await takeTurns([peak(), ...variation(workload)], turns);
    const cells = BUILDS.map((build) => {
      const { rates = [], gflops = [] } = own.get(build) ?? {};
      return `${spread(rates)} | ${median(gflops).toFixed(1)}`;
    });
    const share = ratio(own.get(BUILDS[0] ?? 'wasm-plain')?.gflops ?? [], own.get('peak')?.gflops ?? []);
    console.log(`| ${name} | ${cells.join(' | ')} | ${(100 * share).toFixed(0)} % |`);
  }
  const reference = await takeTurns(referenceGroup(), turns);
  console.log(`
The reference kernel, on 100,000 rows:

| | k edges/s of CPU |
|---|---|
${Array.from(reference.values(), ({ name, rates }) => `| ${name} | ${spread(rates)} |`).join('\n')}

Load at the end: ${load()}.`);
}

function show(value: number): string {
  return value.toFixed(2);
}
