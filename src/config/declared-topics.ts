import { eventDeclaration, type TopicDeclaration } from '../../topics/index.ts';
import type { Config } from './resolve.ts';
import { writtenTopics } from './written-topics.ts';

/** Every topic that the configuration needs: those with events, and those that the graphs write. */
export function declaredTopics({ topics, graphs, topicPrefix, eventRetention }: Config): TopicDeclaration[] {
  return [
    ...topics.map((topic) => eventDeclaration(topic, topicPrefix, eventRetention)),
    ...writtenTopics(graphs, topicPrefix),
  ];
}
