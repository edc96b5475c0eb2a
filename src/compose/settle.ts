import { threadTrainer } from '../adapters/trainer/thread.ts';
import type { GraphConfig } from '../config/resolve.ts';
import type { Log } from '../log.ts';
import { recover } from '../pipeline/loading/recovery.ts';
import { Checkpointer } from '../pipeline/writing/checkpointer.ts';
import { ofShard } from '../shards/foreign-rows.ts';
import { openForWriting } from '../state/open.ts';
import { livePlace } from '../state/places.ts';

/**
 * Brings the checkpoint of a graph's store up to its last commit, as a start of `twhin run` and a regular stop would, where the process
 * before was killed.
 */
export async function settle(graph: GraphConfig, log: Log, place = livePlace(graph)): Promise<void> {
  const { name, model, shard } = graph;
  await using store = await openForWriting(graph, { place });
  const head = await store.head();
  if (head === undefined || head.commit === head.checkpoint) return;
  const trainer = threadTrainer(shard ? ofShard(graph.trainer, shard) : graph.trainer);
  try {
    const { due } = await recover(store, trainer, name, model, Date.now, { shard });
    const options = { graph: name, store, trainer, log, clock: Date.now, tuning: { recoverMs: 0 } };
    await new Checkpointer(options, head).settle(head, due);
  } finally {
    await trainer.stop();
  }
}
