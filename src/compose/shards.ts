import { setImmediate as breathe } from 'node:timers/promises';
import { startSteppers } from '../adapters/trainer/hogwild/stepper.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { createKernel, reproducible } from '../kernels/select.ts';
import { workspaceBytes } from '../kernels/workspace.ts';
import { localTrainer } from '../pipeline/training/local-trainer.ts';
import type { KernelMaker } from '../pipeline/training/train.ts';
import type { Trainer, TrainerSettings } from '../pipeline/training/trainer.ts';
import { foreignOf } from '../shards/foreign-rows.ts';
import { JoinedRanking, type JoinedRankingOptions } from '../shards/joined-ranking.ts';
import { openForWriting } from '../state/open.ts';
import { composeReplay, type Replaying, type ReplayOptions } from './replay.ts';

const KERNELS: KernelMaker = { createKernel, startSteppers, workspaceBytes };

/** What the updaters of all parts read. */
interface PartsRead extends Pick<ReplayOptions, 'log' | 'eventLog' | 'range' | 'topicIds' | 'space'> {
  /** Ranks each edge before it is learned. Absent: none is ranked. */
  readonly ranking?: JoinedRanking;
}

/**
 * {@link composeReplay} for an evaluation, on the live stores of state folders that are thrown away. Shards train in this thread,
 * one batch after another, and all live edges are in memory: in threads, what they learn from each other would come the later, and the
 * figures be the lower, the busier the machine is.
 */
export async function composeParts(
  config: Config,
  graphs: readonly GraphConfig[],
  { ranking, ...read }: PartsRead,
): Promise<readonly Replaying[]> {
  await using opened = new AsyncDisposableStack();
  const stores: GraphStore[] = [];
  for (const graph of graphs)
    stores.push(opened.adopt(await openForWriting(graph), (store) => store.close()));
  const trainerOf = (settings: TrainerSettings, part: number): Trainer =>
    ranking
      ? ranking.trainer(part, settings, (row) => replaying[part]!.updater.keyAt(row))
      : localTrainer(settings, KERNELS, foreignOf);
  const replaying: readonly Replaying[] = composeReplay(
    config,
    graphs.map((graph) => ({ ...graph, trainer: { ...graph.trainer, evaluatedEdges: 0 } })),
    {
      ...read,
      stores,
      ...(graphs.length > 1 && {
        trainerOf: (settings: TrainerSettings, part: number) => inTurn(trainerOf(settings, part)),
      }),
    },
  );
  // From here on each updater closes its store.
  opened.move();
  return replaying;
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

/** The ranking of a graph's edges over all of its shards. entities: how many there are at most. */
export function joinedRanking(
  { trainer }: GraphConfig,
  entities: number,
  of: Pick<JoinedRankingOptions, 'prequential' | 'shards' | 'rowOf' | 'onRanked'>,
): JoinedRanking {
  const maxRows = 2 * trainer.relations.length + entities;
  const settings = { ...trainer, kernel: reproducible(trainer.kernel), threads: 1, maxRows };
  return new JoinedRanking({ ...of, settings, kernels: KERNELS });
}
