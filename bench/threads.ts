import { startSteppers } from '../src/adapters/trainer/hogwild/stepper.ts';
import { loadConfig } from '../src/config/load.ts';
import { createKernel } from '../src/kernels/select.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import { TrainerCore } from '../src/pipeline/training/train.ts';
import type { TrainBatch, TrainerSettings } from '../src/pipeline/training/trainer.ts';
import { Random } from '../src/sampling/random.ts';
import { cpuMs, defineBench, type Figures } from './harness.ts';

const BATCHES = 8;
/** Coprime to the number of rows: ranks one after another are rows far apart. */
const SCATTER = 7_368_787;

const WALL = 'k updates/s';
const CPU = 'k updates/s of CPU';
const CORES = 'cores it had';

const NO_ROWS = new Int32Array(0);
const NO_EDGES = { lhs: NO_ROWS, relation: NO_ROWS, rhs: NO_ROWS };
const NOTHING: TrainBatch = {
  ...{ newTypes: new Uint8Array(0), dropped: NO_ROWS, reset: NO_ROWS },
  reused: { rows: NO_ROWS, types: new Uint8Array(0) },
  ...{ edges: NO_EDGES, added: NO_EDGES, removed: NO_EDGES },
};

/**
 * What more training threads give: batches of the default recipe, of new edges and those that are rehearsed with each, sampling and
 * masks included, on users who follow one another by Zipf's law.
 */
export const threads = defineBench({
  name: 'threads',
  what: 'updates a second of one training thread and of two',
  docs: 'performance.md#several-training-threads',
  measures: ['src/kernels', 'src/sampling', 'src/pipeline/training', 'src/adapters/trainer'],
  sizes: {
    full: { dim: 128, rows: 200_000, edges: 400_000, batch: 1_024 },
    smoke: { dim: 16, rows: 2_000, edges: 4_000, batch: 64 },
  },
  columns: [WALL, CPU, CORES],
  async measure(here) {
    const settings = await recipe(await here.folder(), here.size);
    const crews = [1, 2].map((count) => new Crew(settings, count, here.size));
    try {
      await here.turns(
        Object.fromEntries(crews.map((crew) => [`${crew.threads} threads`, () => crew.turn()])),
        1,
      );
    } finally {
      await Promise.all(crews.map((crew) => crew.core.stop()));
    }
  },
});

/** A trainer of its own. */
class Crew {
  readonly core: TrainerCore;
  readonly threads: number;
  readonly #settings: TrainerSettings;
  readonly #size: { readonly rows: number; readonly batch: number };
  readonly #random = Random.seeded(1);

  constructor(
    settings: TrainerSettings,
    count: number,
    size: { rows: number; edges: number; batch: number },
  ) {
    this.threads = count;
    this.#settings = settings;
    this.#size = size;
    this.core = new TrainerCore(
      { ...settings, threads: count },
      { createKernel, startSteppers, workspaceBytes },
    );
    this.core.start(undefined);
    this.core.train({ ...NOTHING, newTypes: new Uint8Array(size.rows), added: this.#edges(size.edges) });
  }

  async turn(): Promise<Figures> {
    // None is added: all rounds find the same graph.
    const batches = Array.from({ length: BATCHES }, () => ({
      ...NOTHING,
      edges: this.#edges(this.#size.batch),
    }));
    const began = performance.now();
    const ms = await cpuMs(() => {
      for (const batch of batches) this.core.train(batch);
    });
    const wallMs = performance.now() - began;
    const updates = BATCHES * this.#size.batch * this.#settings.updatesPerEdge;
    return { [WALL]: updates / wallMs, [CPU]: updates / ms, [CORES]: ms / wallMs };
  }

  /** Edges whose ends are by Zipf's law, each once. */
  #edges(count: number): TrainBatch['edges'] {
    const { rows } = this.#size;
    const first = 2 * this.#settings.relations.length;
    const end = () => {
      const rank = Math.floor(rows ** this.#random.uniform()) - 1;
      return first + ((rank * SCATTER) % rows);
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

async function recipe(
  folder: string,
  { dim, rows }: { dim: number; rows: number },
): Promise<TrainerSettings> {
  const { graphs } = await loadConfig({}, folder);
  const follow = graphs.find(({ name }) => name === 'follow');
  if (follow === undefined) throw new Error('there is no graph follow');
  const { model, relations } = follow.trainer;
  return {
    ...follow.trainer,
    model: { ...model, dim },
    initScale: Math.sqrt(3 / dim),
    maxRows: rows + 2 * relations.length,
  };
}
