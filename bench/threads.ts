/**
 * What more training threads give: batches of the default recipe trained by one thread and by several, in turn, as a
 * Markdown table: `npx node bench/threads.ts`. --threads: how many, separated by commas, the first to compare with;
 * --dim; --rows, --edges: of the graph; --rounds: of eight batches each. --quiet 0.2: only rounds count in which everything else on the
 * machine took less than a fifth of a core; it looks for them as long as it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startSteppers } from '../src/adapters/trainer/hogwild/stepper.ts';
import { loadConfig } from '../src/config/load.ts';
import { createKernel } from '../src/kernels/select.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import { TrainerCore } from '../src/pipeline/training/train.ts';
import type { TrainBatch, TrainerSettings } from '../src/pipeline/training/trainer.ts';
import { Random } from '../src/sampling/random.ts';
import { spread } from './kernel/bounds.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    dim: { type: 'string', default: '128' },
    rows: { type: 'string', default: '200000' },
    edges: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '15' },
    quiet: { type: 'string', default: 'Infinity' },
  },
});
const entities = Number(values.rows);
const BATCHES = 8;
const BATCH_EDGES = 1_024;
/** Coprime to the number of rows: ranks one after another are rows far apart. */
const SCATTER = 7_368_787;

/** Of one turn: thousands of updates a second, and of each second of processor time of all threads. */
interface Pace {
  readonly wall: number;
  readonly cpu: number;
  /** Cores it had, and those that everything else had. */
  readonly cores: number;
  readonly others: number;
}

const NO_ROWS = new Int32Array(0);
const NO_EDGES = { lhs: NO_ROWS, relation: NO_ROWS, rhs: NO_ROWS };
const NOTHING: TrainBatch = {
  ...{ newTypes: new Uint8Array(0), dropped: NO_ROWS, reset: NO_ROWS },
  reused: { rows: NO_ROWS, types: new Uint8Array(0) },
  ...{ edges: NO_EDGES, added: NO_EDGES, removed: NO_EDGES },
};

/** A trainer of its own, on a graph of users who follow one another, by Zipf's law. */
class Crew {
  readonly core: TrainerCore;
  readonly threads: number;
  readonly paces: Pace[] = [];
  readonly #random = Random.seeded(1);

  constructor(settings: TrainerSettings, threads: number) {
    this.threads = threads;
    this.core = new TrainerCore({ ...settings, threads }, { createKernel, startSteppers, workspaceBytes });
    this.core.start(undefined);
    this.core.train({
      ...NOTHING,
      newTypes: new Uint8Array(entities),
      added: this.#edges(Number(values.edges)),
    });
  }

  turn(): Pace {
    // None is added: all rounds find the same graph.
    const batches = Array.from({ length: BATCHES }, () => ({ ...NOTHING, edges: this.#edges(BATCH_EDGES) }));
    const before = process.cpuUsage();
    const busyBefore = busyMs();
    const began = performance.now();
    for (const batch of batches) this.core.train(batch);
    const wallMs = performance.now() - began;
    const { user, system } = process.cpuUsage(before);
    const cpuMs = (user + system) / 1000;
    const updates = BATCHES * BATCH_EDGES * settings.updatesPerEdge;
    const [cores, busy] = [cpuMs / wallMs, (busyMs() - busyBefore) / wallMs];
    return { wall: updates / wallMs, cpu: updates / cpuMs, cores, others: busy - cores };
  }

  /** Edges whose ends are by Zipf's law, each once. */
  #edges(count: number): TrainBatch['edges'] {
    const first = 2 * settings.relations.length;
    const end = () => {
      const rank = Math.floor(entities ** this.#random.uniform()) - 1;
      return first + ((rank * SCATTER) % entities);
    };
    const found = new Map<number, readonly [lhs: number, rhs: number]>();
    while (found.size < count) {
      const [lhs, rhs] = [end(), end()];
      found.set(lhs * 2 ** 24 + rhs, [lhs, rhs]);
    }
    const pairs = [...found.values()];
    return {
      lhs: Int32Array.from(pairs, ([lhs]) => lhs),
      relation: new Int32Array(count),
      rhs: Int32Array.from(pairs, ([, rhs]) => rhs),
    };
  }
}

/** Processor time of the whole machine. */
function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

const load = () => loadavg()[0]?.toFixed(1);
const loadBefore = load();
const settings = await defaultRecipe();
const crews = values.threads.split(',').map((threads) => new Crew(settings, Number(threads)));
const [first] = crews;
if (first === undefined) throw new Error('--threads: expected numbers, separated by commas');
let looked = 0;
try {
  for (const crew of crews) crew.turn();
  while (first.paces.length < Number(values.rounds)) {
    looked++;
    const round = crews.map((crew) => ({ crew, pace: crew.turn() }));
    if (round.some(({ pace }) => pace.others > Number(values.quiet))) continue;
    for (const { crew, pace } of round) crew.paces.push(pace);
  }
} finally {
  await Promise.all(crews.map((crew) => crew.core.stop()));
}
const quietly = Number.isFinite(Number(values.quiet))
  ? ` Of ${looked}\nrounds, those in which everything else took at most ${values.quiet} cores.`
  : '';
console.log(`# Training in several threads

    npx node bench/threads.ts ${process.argv.slice(2).join(' ')}

${cpus()[0]?.model.trim()}, ${availableParallelism()} cores shared with other work (load ${loadBefore} at the start, ${load()} at the end), Node
${process.version}. The default recipe at dim ${values.dim} on ${entities.toLocaleString('en')} users and ${Number(values.edges).toLocaleString('en')} edges between them by Zipf's law: batches of
${BATCH_EDGES} new edges and ${settings.updatesPerEdge - 1} rehearsed with each, sampling and masks included. The middle of ${values.rounds} rounds of ${BATCHES} batches in
which all take turns (slowest – fastest); ratios are of the same round.${quietly}

| threads | k updates/s | to one thread | k updates/s of CPU | to one thread | cores it had |
|---|---|---|---|---|---|`);
for (const { threads, paces } of crews) {
  const column = (key: keyof Pace) => paces.map((pace) => pace[key]);
  const ratio = (key: keyof Pace) =>
    median(paces.map((pace, round) => pace[key] / (first.paces[round]?.[key] ?? Number.NaN))).toFixed(2);
  const cells = [spread(column('wall')), ratio('wall'), spread(column('cpu')), ratio('cpu')];
  console.log(`| ${threads} | ${cells.join(' | ')} | ${spread(column('cores'))} |`);
}

async function defaultRecipe(): Promise<TrainerSettings> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-threads-'));
  try {
    const { graphs } = await loadConfig({}, folder);
    const follow = graphs.find(({ name }) => name === 'follow');
    if (follow === undefined) throw new Error('there is no graph follow');
    const { model, relations } = follow.trainer;
    const dim = Number(values.dim);
    return {
      ...follow.trainer,
      model: { ...model, dim },
      initScale: Math.sqrt(3 / dim),
      maxRows: entities + 2 * relations.length,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
