/**
 * Edges a second of one training step in one thread, as a Markdown table: `npx node bench/kernel.ts`.
 * Kernels take turns, so that a busy machine slows both; the middle of all rounds is shown. Only `step` is timed.
 */
import { cpus } from 'node:os';
import { createKernel } from '../src/kernels/select.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import type { Chunk, Kernel, KernelChoice } from '../src/model/kernel.ts';
import type { ModelSettings } from '../src/model/settings.ts';
import { Table } from '../src/model/table.ts';

const DIM = 128;
const ROWS = 200_000;
const RELATIONS = 9;
const EDGES = 64;
const ROUNDS = 7;
const STEPS = { wasm: 100, reference: 2 } as const;

const MODELS = [
  { scorer: 'transe-l2', loss: 'softmax' },
  { scorer: 'twhin', loss: 'logistic' },
  { scorer: 'transe-l1', loss: 'softmax' },
] as const;

console.log(`# Kernels: edges/s of a training step

    npx node bench/kernel.ts > bench/results/kernel.md

${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, one thread. d = ${DIM}, ${EDGES} edges a chunk, a table of ${ROWS.toLocaleString('en')} rows,
ids by Zipf; negatives a side: ${EDGES} in-batch, the rest uniform. Middle of ${ROUNDS} interleaved rounds (slowest – fastest), in
thousands. Arithmetic: 12 · K · d operations an edge.

| scorer, loss | K a side | wasm, k edges/s | GFLOP/s | reference, k edges/s | ratio |
|---|---|---|---|---|---|`);
for (const model of MODELS) {
  for (const candidates of [128, 255]) console.log(compare(model, candidates));
}

function compare(model: Pick<ModelSettings, 'scorer' | 'loss'>, candidates: number): string {
  const contenders = (['wasm', 'reference'] as const).map((name) => ({
    name,
    ...prepare(name, model, candidates),
    rates: [] as number[],
  }));
  for (let round = -1; round < ROUNDS; round++) {
    for (const { name, kernel, random, rates } of contenders) {
      const rate = measure(kernel, candidates, STEPS[name], random);
      if (round >= 0) rates.push(rate);
    }
  }
  const [wasm, reference] = contenders.map(({ rates }) => rates.sort((a, b) => a - b));
  const middle = (rates: number[]) => rates[ROUNDS >> 1]!;
  const show = (rates: number[]) =>
    `${middle(rates).toFixed(1)} (${rates[0]!.toFixed(1)} – ${rates.at(-1)!.toFixed(1)})`;
  const gflops = (middle(wasm!) * 12 * candidates * DIM) / 1e6;
  const ratio = middle(wasm!) / middle(reference!);
  return `| ${model.scorer}, ${model.loss} | ${candidates} | ${show(wasm!)} | ${gflops.toFixed(1)} | ${show(reference!)} | ${ratio.toFixed(0)} |`;
}

function prepare(
  name: KernelChoice,
  model: Pick<ModelSettings, 'scorer' | 'loss'>,
  maxCandidates: number,
): { kernel: Kernel; random: () => number } {
  const settings: ModelSettings = {
    dim: DIM,
    ...model,
    beta: 1,
    margin: 0,
    negativeWeight: 1,
    learningRate: 0.1,
    unitBall: true,
  };
  const table = new Table({
    dim: DIM,
    maxRows: ROWS,
    workspaceBytes: workspaceBytes(settings, EDGES, maxCandidates),
  });
  table.addRows(ROWS);
  const random = congruential(1);
  for (let row = 0; row < ROWS; row++) {
    const vector = table.vector(row);
    for (let k = 0; k < DIM; k++) vector[k] = (random() - 0.5) * 0.3;
  }
  return { kernel: createKernel(name, table, settings, { maxEdges: EDGES, maxCandidates }), random };
}

/** Thousands of edges a second over `steps` steps. */
function measure(kernel: Kernel, candidates: number, steps: number, random: () => number): number {
  let elapsedMs = 0;
  for (let n = 0; n < steps; n++) {
    fill(kernel.chunk, candidates, random);
    const start = performance.now();
    kernel.step();
    elapsedMs += performance.now() - start;
  }
  return (EDGES * steps) / elapsedMs;
}

function fill(chunk: Chunk, candidates: number, random: () => number): void {
  const entities = ROWS - 2 * RELATIONS;
  const zipf = () => 2 * RELATIONS + Math.floor(entities ** random()) - 1;
  const uniform = () => 2 * RELATIONS + Math.floor(random() * entities);
  chunk.edges = EDGES;
  chunk.lhsCount = candidates;
  chunk.rhsCount = candidates;
  for (let i = 0; i < EDGES; i++) {
    chunk.lhs[i] = zipf();
    chunk.rhs[i] = zipf();
    chunk.relation[i] = i % RELATIONS;
  }
  for (let j = 0; j < candidates; j++) {
    chunk.lhsCandidates[j] = j < EDGES ? chunk.lhs[j]! : uniform();
    chunk.rhsCandidates[j] = j < EDGES ? chunk.rhs[j]! : uniform();
  }
  for (let i = 0; i < EDGES; i++) {
    for (let j = 0; j < candidates; j++) {
      const at = i * chunk.maxCandidates + j;
      chunk.lhsMask[at] = chunk.lhsCandidates[j] === chunk.lhs[i] ? 1 : 0;
      chunk.rhsMask[at] = chunk.rhsCandidates[j] === chunk.rhs[i] ? 1 : 0;
    }
  }
}

/** Uniform numbers in [0, 1). Source: Numerical Recipes' 32-bit linear congruential generator. */
function congruential(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
