import { topicName } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { UsageError } from '../errors/errors.ts';

/** Full names of the topics that `--reread` named in full or as in the configuration. @throws UsageError naming those there are. */
export function readTopics(
  { topicPrefix }: Config,
  graphs: readonly GraphConfig[],
  named: readonly string[],
): string[] {
  const topics = graphs.flatMap((graph) => graph.topics.map(({ name }) => topicName(topicPrefix, name)));
  const full = named.map((name) => (topics.includes(name) ? name : topicName(topicPrefix, name)));
  const unknown = named.filter((_, i) => !topics.includes(full[i] ?? ''));
  if (unknown.length === 0) return full;
  const known = [...new Set(topics)].join(', ');
  throw new UsageError('reread', `--reread: expected one of ${known}; seen ${unknown.join(', ')}`);
}
