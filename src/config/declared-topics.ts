import {
  deadLetterDeclaration,
  type EventTopic,
  edgesDeclaration,
  embeddingsDeclaration,
  eventDeclaration,
  exchangeDeclaration,
  modelDeclaration,
  type Retention,
  type TopicDeclaration,
} from '../../topics/index.ts';
import { graphOf, type Shard } from '../graph/shard.ts';

/** A graph or one shard of it, as far as its topics go. */
interface Writer {
  readonly name: string;
  readonly shard?: Shard;
}

/** Every topic that the graphs write: vectors, relation vectors, those between shards, dead letters. Shards publish to the same topics. */
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
export function declaredTopics(config: {
  readonly topics: readonly EventTopic[];
  readonly graphs: readonly Writer[];
  readonly topicPrefix: string;
  readonly eventRetention: Retention;
}): TopicDeclaration[] {
  const { topics, graphs, topicPrefix, eventRetention } = config;
  return [
    ...topics.map((topic) => eventDeclaration(topic, topicPrefix, eventRetention)),
    ...writtenTopics(graphs, topicPrefix),
  ];
}
