import type { Command } from 'commander';
import { checkPromotion, exists, previousOf, promote, recordsBehind } from '../compose/promotion.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { UsageError } from '../errors/errors.ts';
import { graphOf } from '../graph/shard.ts';
import { placeOf } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count } from './format.ts';
import { example, JSON_HELP } from './options.ts';
import { selectParts } from './select.ts';

interface PromoteOptions {
  readonly graph?: string;
  readonly rollback?: boolean;
  readonly json?: boolean;
}

export function addPromoteCommand(command: Command, context: CommandContext): void {
  command
    .description('make a store the live store of its graph; a running updater swaps within a second')
    .argument('[name]', 'name of the store; leave it out with --rollback')
    .option('--graph <name>', 'the graph; needed only if several graphs have a store of that name')
    .option('--rollback', 'make the store that was live before the live store again')
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES, WHAT))
    .action((name: string | undefined, options: PromoteOptions) => promoteStore(name, options, context));
}

const WHAT = `
The command checks the store, names it in live.json and ends. The store before stays under its name. The updater reads on
where the promoted store stands, and publishes every vector that differs, with a higher step.
The store of a graph with shards is promoted in all shards whose live stores are in the state folder. Where shards run on
other machines, the command says what to do there.`;
const EXAMPLES = `twhin promote shadow --graph engagement
twhin promote --rollback --graph engagement`;

async function promoteStore(
  name: string | undefined,
  { graph: wanted, rollback = false, json }: PromoteOptions,
  { ask, config, connect, output }: CommandContext,
): Promise<void> {
  if ((name === undefined) !== rollback)
    throw new UsageError('expected either the name of a store or --rollback');
  const { parts, store } = choose(name, wanted, await config());
  const promotion = await checkPromotion(parts, store, config);
  await using connection = await connect(promotion.config);
  await using reader = connection.log();
  const behind = await ask(recordsBehind(promotion, reader), connection.describe);
  const previous = await promote(promotion);
  // A line for the graph, or for each shard whose live store is here.
  const stores = promotion.candidates.map(({ part }, i) => ({
    graph: part.name,
    previous: previous[i]!,
    behind: behind[i]!,
  }));
  const graph = graphOf(parts[0]!);
  if (json) {
    const elsewhere = promotion.elsewhere.map((part) => part.name);
    output.out(JSON.stringify({ graph, store, stores, elsewhere }));
    return;
  }
  for (const { graph: part, previous, behind } of stores) {
    const back = previous === null ? '' : `; ${previous} stays to go back to`;
    output.out(`${store} is the live store of ${part}, and is ${count(behind)} records behind${back}`);
  }
  output.out(
    'A running updater swaps within a second and publishes what differs; without one, the next twhin run does.',
  );
  for (const part of promotion.elsewhere) {
    output.out(
      `${part.name} has no live store here, and shards skip what is sent in another training. Move ${placeOf(part, store).folder} to ` +
        `${part.name}/stores/${store} in the state folder where it runs, and promote it there now`,
    );
  }
  output.out(`To go back: twhin promote --rollback --graph ${graph}`);
}

/** @throws UsageError listing the choices, if the name or the graph does not fit. */
function choose(
  name: string | undefined,
  wanted: string | undefined,
  config: Config,
): { parts: readonly GraphConfig[]; store: string } {
  const named =
    wanted === undefined ? [...Map.groupBy(config.graphs, graphOf).values()] : [selectParts(config, wanted)];
  const found = named.flatMap((parts) => {
    const store = name ?? previousOf(parts);
    return store !== undefined && parts.some((part) => exists(part, store)) ? [{ parts, store }] : [];
  });
  const [one, another] = found;
  const where = named.map(([first]) => first && graphOf(first)).join(', ');
  if (one === undefined) {
    const what =
      name === undefined ? 'no store was live before the one that is' : `there is no store ${name}`;
    throw new UsageError(`${what} in ${where}; twhin replay --into NAME makes one`);
  }
  if (another !== undefined)
    throw new UsageError(`several graphs have such a store: ${where}; say which with --graph`);
  return one;
}
