import { existsSync } from 'node:fs';
import { edgesName, exchangeName, topicName } from '../../../topics/index.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { placeOf, readLive, reshardedName, type StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { graphNames } from '../select.ts';

/** What is to be made of what. */
export interface ReshardPlan {
  /** Name of the whole graph. */
  readonly graph: string;
  /** The graph's shards, or itself, with the settings that its live stores were trained with. */
  readonly present: readonly GraphConfig[];
  readonly next: readonly GraphConfig[];
  /** Where the new stores go. */
  readonly targets: readonly StorePlace[];
  /** Full names of the topics with a partition for each shard. */
  readonly internalTopics: readonly string[];
  /** `key=value` over the configuration. */
  readonly set: readonly string[];
}

/** @throws UsageError where there is nothing to do; FatalError where a new store would have no free place. */
export async function planReshard(
  graph: string,
  to: number,
  { config }: Pick<CommandContext, 'config'>,
): Promise<ReshardPlan> {
  const plain = await config();
  const there = partsOf(plain, graph);
  if (there.length === 0) {
    const known = [...new Set(plain.graphs.map(graphOf))].join(', ');
    throw new UsageError(`--graph: expected one of ${known}, seen ${JSON.stringify(graph)}`);
  }
  if (there.length === to) {
    throw new UsageError(
      `--to: expected another number than graphs.${graph}.shards, which is ${to} already: the configuration keeps the present number ` +
        'until the command is done',
    );
  }
  const set = settingsOf(there);
  const present = set.length > 0 ? partsOf(await config(set), graph) : there;
  const next = partsOf(await config([...set, `graphs.${graph}.shards=${to}`]), graph);
  const targets = next.map((each) => placeOf(each, reshardedName(to)));
  const taken = targets.filter(({ folder }) => existsSync(folder));
  if (taken.length > 0) {
    throw new FatalError(
      'store-exists',
      `there are stores of an earlier reshard to ${to} already, and stores are never replaced: ${foldersOf(taken)}. Move them away, ` +
        'and give the command again',
    );
  }
  const internalTopics = [exchangeName(graph), edgesName(graph)].map((name) =>
    topicName(plain.topicPrefix, name),
  );
  return { graph, present, next, targets, internalTopics, set };
}

export function foldersOf(places: readonly StorePlace[]): string {
  return places.map(({ folder }) => folder).join(', ');
}

function partsOf({ graphs }: Config, graph: string): readonly GraphConfig[] {
  return graphs.filter((each) => graphOf(each) === graph);
}

/** The settings that all of the live stores were trained with. */
function settingsOf(graphs: readonly GraphConfig[]): readonly string[] {
  const sets = graphs.map((each) => readLive(each).set);
  const [first = [], ...others] = sets;
  const differing = others.findIndex((set) => set.join('\n') !== first.join('\n'));
  if (differing < 0) return first;
  throw new FatalError(
    'reshard',
    `the stores of ${graphNames(graphs).join(', ')} are trained with different settings: [${first.join(' ')}] and ` +
      `[${others[differing]!.join(' ')}]. Restore those that differ from a backup of the same time`,
  );
}
