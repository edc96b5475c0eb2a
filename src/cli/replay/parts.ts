import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { readLive } from '../../state/places.ts';
import { graphNames } from '../select.ts';

/**
 * What a replay trains together: a whole graph alone, or all shards of one, in their order.
 * @throws UsageError where a shard is named, or nothing that there is.
 */
export function partsOf(
  { graphs }: Pick<Config, 'graphs'>,
  name: string | undefined,
): readonly GraphConfig[] {
  const parts = graphs.filter((graph) => graphOf(graph) === name);
  if (parts.length > 0) return parts;
  const shard = graphs.find((graph) => graph.name === name)?.shard;
  if (shard !== undefined) {
    throw new UsageError(
      `${name} is one of ${shard.count} shards, and a store that one shard trains alone would lack what the others send it. Name the ` +
        `whole graph: --graph ${shard.graph}`,
    );
  }
  const seen = name === undefined ? 'nothing' : JSON.stringify(name);
  throw new UsageError(`--graph: expected one of ${graphNames(graphs).join(', ')}; seen ${seen}`);
}

/**
 * The settings that the live stores were trained with, over the configuration.
 * @throws FatalError `promotion-mixed` where shards were trained with different ones: not all were promoted.
 */
export function liveSettings(parts: readonly GraphConfig[]): readonly string[] {
  const lives = parts.map((part) => ({ part, live: readLive(part) }));
  const [first] = lives;
  const other = lives.find(({ live }) => live.set.join('\n') !== first?.live.set.join('\n'));
  if (first === undefined || other === undefined) return first?.live.set ?? [];
  throw new FatalError(
    'promotion-mixed',
    `${first.part.name} runs on ${first.live.live} and ${other.part.name} on ${other.live.live}, which were trained with other settings: ` +
      `[${first.live.set.join(' ')}] and [${other.live.set.join(' ')}]. Give twhin replay promote NAME again, so that all shards run on ` +
      'stores of one training',
  );
}
