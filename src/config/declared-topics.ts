import { deadLetterDeclaration, embeddingsDeclaration, eventDeclaration } from '../../topics/index.ts';
import type { TopicDeclaration } from '../pipeline/ports.ts';
import type { Config } from './resolve.ts';

/** Every topic that the configuration needs: event topics, embeddings topics, dead letters. */
export function declaredTopics(config: Config): TopicDeclaration[] {
  const prefix = config.topicPrefix;
  return [
    ...config.topics.map((topic) => eventDeclaration(topic, prefix)),
    ...config.graphs.map(({ name }) => embeddingsDeclaration(name, prefix)),
    deadLetterDeclaration(prefix),
  ];
}
