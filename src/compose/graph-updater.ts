import { randomBytes } from 'node:crypto';
import { edgesName, fullName, topicName } from '../../topics/index.ts';
import type { EventTopic } from '../../topics/topic.ts';
import { threadTrainer } from '../adapters/trainer/thread.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import type { Shard } from '../graph/shard.ts';
import type { Trainer, TrainerSettings } from '../pipeline/training/trainer.ts';
import { Updater } from '../pipeline/updater.ts';
import type { UpdaterOptions } from '../pipeline/updater-options.ts';
import { ofShard } from '../shards/foreign-rows.ts';
import type { RoutedGraph } from '../shards/routing/share-router.ts';

/** What differs between updaters: the log that is followed, who may write, and where vectors and letters go. */
type Own = Omit<UpdaterOptions, 'graph' | 'shard' | 'model' | 'limits' | 'topics' | 'trainer' | 'clock'> & {
  /** Makes its trainer; absent: one in a thread of its own. */
  readonly trainerOf?: ((settings: TrainerSettings) => Trainer) | undefined;
};

/** An updater of a graph on a log, which closes what it is given. trainer: the graph's own settings unless said. */
export function composeUpdater(
  config: Config,
  graph: GraphConfig,
  { trainerOf = threadTrainer, ...own }: Own,
  trainer: GraphConfig['trainer'] = graph.trainer,
): Updater {
  const { shard } = graph;
  return new Updater({
    ...own,
    graph: graph.name,
    shard,
    model: graph.model,
    limits: config.limits,
    topics: topicsOf(config, graph),
    trainer: trainerOf(shard ? ofShard(trainer, shard) : trainer),
    clock: Date.now,
  });
}

/** The event topics of a graph, by full name on the log. */
export function topicsOf(config: Config, graph: GraphConfig): ReadonlyMap<string, EventTopic> {
  return new Map(graph.topics.map((topic) => [fullName(config.topicPrefix, topic), topic]));
}

/** A cut graph as its routers and shards see it. */
export function routedGraphOf(config: Config, graph: GraphConfig, shard: Shard): RoutedGraph {
  return {
    graph: shard.graph,
    shards: shard.count,
    relations: new Set(graph.model.relations.map(({ name }) => name)),
    topics: topicsOf(config, graph),
    limits: config.limits,
    edgesTopic: topicName(config.topicPrefix, edgesName(shard.graph)),
  };
}

/** A name for a run of training, different from every other. */
export function freshSpace(): string {
  return randomBytes(8).toString('hex');
}
