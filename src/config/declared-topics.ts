import {
  deadLetterDeclaration,
  edgesDeclaration,
  embeddingsDeclaration,
  eventDeclaration,
  exchangeDeclaration,
  modelDeclaration,
  type TopicDeclaration,
} from '../../topics/index.ts';
import { graphOf } from '../graph/shard.ts';
import type { Config, GraphConfig } from './resolve.ts';

/** A graph or one shard of it, as far as its topics go. */
type Writer = Pick<GraphConfig, 'name' | 'shard'>;

/**
 * Every topic that the graphs write: the vectors of entities and of relations, the topics by which shards exchange messages and
 * are sent their events, dead letters. The shards of a graph publish to the same topics.
 */
export function writtenTopics(graphs: readonly Writer[], prefix: string): TopicDeclaration[] {
  const whole = [...new Set(graphs.map(graphOf))];
  return [
    ...whole.map((name) => embeddingsDeclaration(name, prefix)),
    ...whole.map((name) => modelDeclaration(name, prefix)),
    ...[exchangeDeclaration, edgesDeclaration].flatMap((declared) =>
      graphs.flatMap(({ shard }) => (shard?.index === 0 ? [declared(shard.graph, shard.count, prefix)] : [])),
    ),
    deadLetterDeclaration(prefix),
  ];
}

/** Every topic that the configuration needs: those with events, and those that the graphs write. */
export function declaredTopics({
  topics,
  graphs,
  topicPrefix,
  eventRetention,
}: Pick<Config, 'topics' | 'topicPrefix' | 'eventRetention'> & {
  readonly graphs: readonly Writer[];
}): TopicDeclaration[] {
  return [
    ...topics.map((topic) => eventDeclaration(topic, topicPrefix, eventRetention)),
    ...writtenTopics(graphs, topicPrefix),
  ];
}
