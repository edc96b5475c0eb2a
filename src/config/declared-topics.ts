import {
  deadLetterDeclaration,
  embeddingsDeclaration,
  eventDeclaration,
  modelDeclaration,
} from '../../topics/index.ts';
import type { TopicDeclaration } from '../pipeline/ports.ts';
import type { Config } from './resolve.ts';

/** Every topic that the configuration needs: event topics, the topics with vectors of entities and of relations, dead letters. */
export function declaredTopics(config: Config): TopicDeclaration[] {
  const prefix = config.topicPrefix;
  return [
    ...config.topics.map((topic) => eventDeclaration(topic, prefix)),
    ...config.graphs.map(({ name }) => embeddingsDeclaration(name, prefix)),
    ...config.graphs.map(({ name }) => modelDeclaration(name, prefix)),
    deadLetterDeclaration(prefix),
  ];
}
