import { topicName } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { UsageError } from '../errors/errors.ts';

/** The named graphs in the order of the configuration; all graphs if none is named. @throws UsageError listing the graphs. */
export function selectGraphs(config: Config, names: readonly string[] | undefined): readonly GraphConfig[] {
  if (names === undefined || names.length === 0) return config.graphs;
  const known = config.graphs.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      'graph',
      `no graph ${unknown.join(', ')}; the configuration has ${known.join(', ')}`,
    );
  }
  return config.graphs.filter(({ name }) => names.includes(name));
}

/**
 * Full names of the topics after `--reread`, which may be given with the prefix or without.
 * @throws UsageError listing the topics.
 */
export function selectTopics(
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
