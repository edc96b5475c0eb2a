import { rm } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import { startSteppers } from '../src/adapters/trainer/hogwild/stepper.ts';
import type { EvaluationProgress } from '../src/compose/evaluation.ts';
import { composeReplay, type ReplayOptions, trainToEnd } from '../src/compose/replay.ts';
import { kernelOf } from '../src/compose/wide.ts';
import type { Config, GraphConfig } from '../src/config/resolve.ts';
import { emptySpace, readSpace, type Space } from '../src/evaluation/space.ts';
import type { EntityKey } from '../src/graph/entity.ts';
import type { GraphStore } from '../src/graph/graph-store.ts';
import type { Head } from '../src/graph/head.ts';
import { shardOf } from '../src/graph/shard.ts';
import { createKernel, reproducible } from '../src/kernels/select.ts';
import { workspaceBytes } from '../src/kernels/workspace.ts';
import { silentLog } from '../src/log.ts';
import type { KernelChoice } from '../src/model/kernel.ts';
import { localTrainer } from '../src/pipeline/training/local-trainer.ts';
import type { Trainer, TrainerSettings } from '../src/pipeline/training/trainer.ts';
import { foreignOf } from '../src/shards/foreign-rows.ts';
import { openForReading, openForWriting } from '../src/state/open.ts';
import { FIRST_STORE, placeOf } from '../src/state/places.ts';

const KERNELS = { createKernel, startSteppers, workspaceBytes };
/** Nothing ends a bench before its end. */
const WATCH = { stopping: new AbortController().signal, tell: () => undefined };

/** Nobody waits: work is not interrupted, and its status is shown alone. */
export function progressOn(say: (line: string) => void): EvaluationProgress {
  let shown = performance.now();
  const turn = async (status: string) => {
    if (performance.now() - shown > 5_000) {
      shown = performance.now();
      say(status);
    }
    await breathe();
  };
  return {
    turn,
    meter: (what) => (done, of) => turn(`${what}: ${done} of ${of}`),
    train: async (replaying, range) => void (await trainToEnd([replaying], range, WATCH)),
  };
}

/**
 * Trains a graph, or all its shards together, on the live stores of state folders that are thrown away. Shards train in this thread,
 * one batch after another, and all live edges are in memory: in threads, what they learn from each other would come the later, and
 * the figures be the lower, the busier the machine is.
 */
export async function runParts(
  config: Config,
  graphs: readonly GraphConfig[],
  read: Pick<ReplayOptions, 'eventLog' | 'range' | 'topicIds' | 'space'>,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const graph of graphs)
    stores.push(opened.adopt(await openForWriting(graph), (store) => store.close()));
  const untouched = graphs.map((graph) => ({ ...graph, trainer: { ...graph.trainer, evaluatedEdges: 0 } }));
  const replaying = composeReplay(config, untouched, {
    ...{ ...read, log: silentLog, stores },
    ...(graphs.length > 1 && {
      trainerOf: (settings: TrainerSettings) => inTurn(localTrainer(settings, KERNELS, foreignOf)),
    }),
  });
  // From here on each updater closes its store.
  opened.move();
  await trainToEnd(replaying, read.range, WATCH);
}

/** The vectors that {@link runParts} trains, of all shards as one space. unseen: entities that take part although none was trained. */
export async function trainedSpace(
  config: Config,
  graphs: readonly GraphConfig[],
  read: Parameters<typeof runParts>[2],
  unseen: Iterable<EntityKey>,
): Promise<Space> {
  await runParts(config, graphs, read);
  const space = await readParts(graphs, unseen);
  await rm(config.state, { recursive: true });
  return space;
}

async function readParts(graphs: readonly GraphConfig[], unseen: Iterable<EntityKey>): Promise<Space> {
  await using opened = new AsyncDisposableStack();
  const parts = await Promise.all(
    graphs.map(async (graph): Promise<SpacePart> => {
      const store = opened.use((await openForReading(graph, placeOf(graph, FIRST_STORE)))!);
      const { shard } = graph;
      const owns = shard && ((key: EntityKey) => shardOf(key, shard.count) === shard.index);
      return { store, head: (await store.head())!, ...(owns && { owns }) };
    }),
  );
  const { kernel } = kernelOf(graphs[0]!.trainer, reproducible);
  return await joinedSpace(parts, { kernel, unseen });
}

/** A store of a graph, or of one of its shards. */
export interface SpacePart {
  readonly store: GraphStore;
  readonly head: Head;
  /** Entities that are read: all unless given. */
  owns?(key: EntityKey): boolean;
}

/**
 * Reads the stores of all shards of a graph as one space: each entity's vector from the shard that owns it, and the mean of the shards'
 * relation vectors. unseen: entities that take part although no event has named them; an entity without a vector, and one that is
 * newer than the checkpoint, lies at the origin.
 */
export async function joinedSpace(
  parts: readonly SpacePart[],
  { kernel = 'wasm', unseen = [] }: { kernel?: KernelChoice; unseen?: Iterable<EntityKey> } = {},
): Promise<Space> {
  const { store, head } = parts[0]!;
  const firstRow = 2 * store.layout.relations.length;
  const owned = await Promise.all(parts.map(ownKeys));
  const keys = new Set([...owned.flat(), ...unseen]);
  const rows = new Map([...keys].map((key, i) => [key, firstRow + i]));
  const joined = emptySpace(store.layout, head, { kernel, rows, maxRows: firstRow + rows.size });
  for (const [i, part] of parts.entries()) {
    const { table, rowOf } = await readSpace(part.store, part.head);
    for (const key of owned[i]!) joined.table.vector(rows.get(key)!).set(table.vector(rowOf(key)!));
    for (let row = 0; row < firstRow; row++) {
      const mean = joined.table.vector(row);
      for (const [k, value] of table.vector(row).entries()) mean[k]! += value / parts.length;
    }
  }
  return joined;
}

async function ownKeys({ store, owns = () => true }: SpacePart): Promise<readonly EntityKey[]> {
  const all = await Array.fromAsync(store.entities(), ({ key }) => key);
  return all.filter(owns);
}

/** A trainer of this thread that lets the other shards have their turn after each batch: none gets far ahead. */
function inTurn(trainer: Trainer): Trainer {
  return {
    ...trainer,
    train: async (batch) => {
      const report = await trainer.train(batch);
      await breathe();
      return report;
    },
  };
}
