import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { graphOf } from '../../graph/shard.ts';
import { graphNames, selectGraphs } from '../select.ts';

/** What the command line says of what is to be run, as typed. */
export interface RunAsked {
  readonly graph: readonly string[];
  readonly shard?: string | undefined;
  readonly shards?: string | undefined;
}

/** Numbers of shards, and the option or variable that they are from. */
interface Wanted {
  readonly from: string;
  readonly first: number;
  readonly last: number;
  readonly seen: string;
}

/**
 * The graphs and shards that this process runs. `--shard` and `--shards` choose among the shards of one graph, and so does
 * TWHIN_SHARD where neither is given and `--graph` names no single shard.
 * @throws UsageError `shard` with a line for each problem; `graph` listing the graphs.
 */
export function selectRun(config: Config, { graph: names, shard, shards }: RunAsked): readonly GraphConfig[] {
  const selected = selectGraphs(config, names);
  const single = config.graphs.some((each) => each.shard !== undefined && names.includes(each.name));
  const problems: string[] = [];
  const wanted = wantedOf(config, { shard, shards }, single, problems);
  if (wanted === undefined && problems.length === 0) return selected;
  const from = wanted?.from ?? (shard === undefined ? '--shards' : '--shard');
  if (shard !== undefined && shards !== undefined)
    problems.push('--shard, --shards: expected one of the two, seen both');
  const cut = oneCutGraph(config, selected, { names, single, from }, problems);
  const count = cut?.[0]?.shard?.count;
  if (wanted !== undefined && count !== undefined && wanted.last >= count) {
    problems.push(`${wanted.from}: expected ${expectedOf(wanted.from, count - 1)}, seen ${wanted.seen}`);
  }
  if (problems.length > 0) {
    throw new UsageError(
      'shard',
      `the shards cannot be run as asked; nothing was started:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  const { first = 0, last = 0 } = wanted ?? {};
  return (cut ?? []).filter(
    ({ shard: each }) => each !== undefined && each.index >= first && each.index <= last,
  );
}

/** undefined: no numbers were given, or they are a problem. */
function wantedOf(
  config: Config,
  { shard, shards }: Omit<RunAsked, 'graph'>,
  single: boolean,
  problems: string[],
): Wanted | undefined {
  if (shard !== undefined) {
    const seen = JSON.stringify(shard);
    if (/^\d{1,3}$/.test(shard)) return { from: '--shard', first: Number(shard), last: Number(shard), seen };
    problems.push(`--shard: expected a whole number from 0, such as 3, seen ${seen}`);
  }
  if (shards !== undefined) {
    const seen = JSON.stringify(shards);
    const [, low, high] = /^(\d{1,3})-(\d{1,3})$/.exec(shards) ?? [];
    const [first, last] = [Number(low), Number(high)];
    if (first <= last) return { from: '--shards', first, last, seen };
    problems.push(`--shards: expected two numbers with the lower one first, such as 0-3, seen ${seen}`);
  }
  const { shard: fromEnvironment } = config;
  if (shard !== undefined || shards !== undefined || fromEnvironment === undefined || single)
    return undefined;
  const [first, last] = [fromEnvironment, fromEnvironment];
  return { from: 'TWHIN_SHARD', first, last, seen: String(fromEnvironment) };
}

function expectedOf(from: string, last: number): string {
  if (from === '--shards') return `numbers from 0 to ${last}`;
  const number = `a number from 0 to ${last}`;
  return from === '--shard' ? number : `${number}, or the name of a pod that ends in such a number`;
}

/** The shards of the graph that `--graph` names, or of the only graph with shards. */
function oneCutGraph(
  config: Config,
  selected: readonly GraphConfig[],
  { names, single, from }: { names: readonly string[]; single: boolean; from: string },
  problems: string[],
): readonly GraphConfig[] | undefined {
  const cut = [...new Set(selected.filter(({ shard }) => shard !== undefined).map(graphOf))];
  const [graph] = cut;
  const seen = names.length === 0 ? 'no --graph' : `--graph ${names.join(', ')}`;
  if (single)
    problems.push(`${from}: expected the name of a whole graph after --graph, seen ${names.join(', ')}`);
  else if (graph === undefined) {
    const known = graphNames(config.graphs).join(', ');
    problems.push(`${from}: expected a graph with shards among ${known}, seen ${seen}`);
  } else if (cut.length > 1 || names.some((name) => name !== graph)) {
    problems.push(`${from}: expected --graph with one of ${cut.join(', ')}, seen ${seen}`);
  } else return selected.filter((each) => graphOf(each) === graph);
  return undefined;
}
