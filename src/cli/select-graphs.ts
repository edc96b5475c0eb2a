import type { Config, GraphConfig } from '../config/resolve.ts';
import { UsageError } from '../errors/errors.ts';

/** The named graphs in the configuration's order, or all. @throws UsageError naming those there are. */
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
