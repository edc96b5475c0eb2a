import {
  deadLetterDeclaration,
  edgesDeclaration,
  embeddingsDeclaration,
  eventDeclaration,
  exchangeDeclaration,
  modelDeclaration,
} from '../../topics/index.ts';
import { graphOf } from '../graph/shard.ts';
import type { TopicDeclaration } from '../pipeline/ports.ts';
import type { Config } from './resolve.ts';

/**
 * Every topic that the configuration needs: event topics, the topics with vectors of entities and of relations, those by which
 * shards exchange messages and are sent their events, dead letters. The shards of a graph publish to the same topics.
 */
export function declaredTopics(config: Config): TopicDeclaration[] {
  const prefix = config.topicPrefix;
  const graphs = [...new Set(config.graphs.map(graphOf))];
  return [
    ...config.topics.map((topic) => eventDeclaration(topic, prefix)),
    ...graphs.map((name) => embeddingsDeclaration(name, prefix)),
    ...graphs.map((name) => modelDeclaration(name, prefix)),
    ...config.graphs.flatMap(({ shard }) =>
      shard?.index === 0 ? [exchangeDeclaration(shard.graph, shard.count, prefix)] : [],
    ),
    ...config.graphs.flatMap(({ shard, routed }) =>
      shard?.index === 0 && routed ? [edgesDeclaration(shard.graph, shard.count, prefix)] : [],
    ),
    deadLetterDeclaration(prefix),
  ];
}
