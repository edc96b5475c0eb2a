import { startSteppers } from '../src/adapters/trainer/hogwild/stepper.ts';
import { loadConfig } from '../src/config/load.ts';
import { createKernel } from '../src/kernels/select.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import { ADDED, encodeBatch, TRAINED } from '../src/pipeline/training/batch-codec.ts';
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

type Pair = readonly [lhs: number, rhs: number];

/**
 * What more training threads give: batches of the default recipe, of new edges and those that are rehearsed with each, sampling and
 * masks included, on users who follow one another by Zipf's law.
 */
export const threads = defineBench({
  name: 'threads',
  what: 'updates a second of one training thread and of two',
  docs: 'performance.md#the-training-step',
  measures: ['src/kernels', 'src/sampling', 'src/pipeline/training', 'src/adapters/trainer'],
  sizes: {
    full: { dim: 128, rows: 200_000, edges: 400_000, batch: 1_024 },
    smoke: { dim: 16, rows: 2_000, edges: 4_000, batch: 64 },
  },
  without: ['set'],
  columns: [WALL, CPU, CORES],
  async measure(here) {
    const { rows, edges, batch } = here.size;
    const settings = await recipe(await here.folder(), here.size);
    const draw = zipf(rows, 2 * settings.relations.length);
    const crew = (count: number) => {
      const made = new TrainerCore(
        { ...settings, threads: count },
        { createKernel, startSteppers, workspaceBytes },
      );
      made.start(undefined);
      made.train(batchOf(ADDED, draw(edges), rows));
      return made;
    };
    const cores = [crew(1), crew(2)];
    const turn = (core: TrainerCore) => async (): Promise<Figures> => {
      // None is added: all rounds find the same graph.
      const batches = Array.from({ length: BATCHES }, () => batchOf(TRAINED, draw(batch)));
      const began = performance.now();
      const ms = await cpuMs(() => {
        for (const each of batches) core.train(each);
      });
      const wallMs = performance.now() - began;
      const updates = BATCHES * batch * settings.updatesPerEdge;
      return { [WALL]: updates / wallMs, [CPU]: updates / ms, [CORES]: ms / wallMs };
    };
    await here.turns(Object.fromEntries(cores.map((core, i) => [`${i + 1} threads`, turn(core)])), 1);
    await Promise.all(cores.map((core) => core.stop()));
  },
});

/** Draws edges whose ends are by Zipf's law, each once. */
function zipf(rows: number, first: number): (count: number) => Pair[] {
  const random = Random.seeded(1);
  const end = () => first + (((Math.floor(rows ** random.uniform()) - 1) * SCATTER) % rows);
  return (count) => {
    const found = new Map<number, Pair>();
    while (found.size < count) {
      const [lhs, rhs] = [end(), end()];
      found.set(lhs * 2 ** 24 + rhs, [lhs, rhs]);
    }
    return [...found.values()];
  };
}

/** A batch of `entities` new users, and of edges of which all is said that `bits` say. */
function batchOf(bits: number, edges: readonly Pair[], entities = 0): TrainBatch {
  const changes = edges.flatMap(([lhs, rhs]) => [lhs, rhs, bits]);
  const newTypes = new Uint8Array(entities);
  const none = { reusedRows: [], reusedTypes: [], dropped: [], reset: [] };
  return { numbers: encodeBatch({ ...none, newTypes, changes }) };
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
