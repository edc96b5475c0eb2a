import { exchangeName } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { graphOf } from '../graph/shard.ts';
import { ShardMeeting } from '../replay/shard-meeting.ts';
import { openForWriting } from '../state/open.ts';
import { composeReplay, type Replaying, type ReplayOptions } from './replay.ts';

/** What the updaters of all parts read. */
export type PartsReplay = Pick<ReplayOptions, 'log' | 'eventLog' | 'range' | 'topicIds' | 'space'>;

/**
 * The updaters of a replay on fresh stores: one of a whole graph, or one for each of its shards, which are to run together and
 * read the log in step. Nothing is published.
 */
export async function composeParts(
  config: Config,
  graphs: readonly GraphConfig[],
  replay: PartsReplay,
): Promise<readonly Replaying[]> {
  const { length: shards } = graphs;
  const meeting = shards > 1 ? new ShardMeeting(exchangeName(graphOf(graphs[0]!)), shards) : undefined;
  const { batchEdges } = config.tuning;
  // A shard has the edges with an end of its own: of a batch of the whole graph, about two of `shards`.
  const tuning = { ...config.tuning, batchEdges: Math.max(1, Math.ceil((2 * batchEdges) / shards)) };
  return await Promise.all(
    graphs.map(async (graph) =>
      composeReplay(
        meeting ? { ...config, tuning } : config,
        { ...graph, trainer: { ...graph.trainer, evaluatedEdges: 0 } },
        { ...replay, pace: {}, store: await openForWriting(graph), meeting },
      ),
    ),
  );
}
