import type { ConfigSource } from '../config/load.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { type Live, readLive } from '../state/places.ts';

/**
 * Configuration and graph with the settings that the live store was trained with.
 * @throws UsageError when they no longer go with the rest of the configuration.
 */
export async function asLive(
  config: Config,
  graph: GraphConfig,
  configWith: ConfigSource,
  { live, set }: Live = readLive(graph),
): Promise<{ config: Config; graph: GraphConfig; set: readonly string[] }> {
  if (set.length === 0) return { config, graph, set };
  const changed = await configWith(set);
  const same = changed.graphs.find(({ name }) => name === graph.name);
  if (same === undefined) {
    throw new FatalError('live-store', `${live} is live with ${set.join(' ')}: no graph ${graph.name}`);
  }
  return { config: changed, graph: same, set };
}
