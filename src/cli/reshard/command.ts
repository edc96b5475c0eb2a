import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { example, JSON_HELP, positiveInteger } from '../options.ts';
import { planReshard, withPresentStores } from './plan.ts';
import { print, resultOf } from './report.ts';
import { reshard } from './reshard.ts';

/**
 * Puts `twhin reshard` on the command line.
 *
 * The new stores lie beside the present ones: shard `i` of M has its new store in `STATE/<graph>-<i>/stores/shards-M`, a whole graph in
 * `STATE/<graph>/stores/shards-1`. The number of shards in the configuration says which store is live (`readLive`), so that
 * changing the number opens the new stores and changing it back opens the old ones; nothing is overwritten.
 */
export function addReshardCommand(program: Command, context: CommandContext): void {
  program
    .command('reshard')
    .description('make the stores of a graph with another number of shards; no updater may be running')
    .requiredOption('--graph <name>', 'the whole graph, such as engagement')
    .requiredOption('--to <n>', 'the number of shards that the graph is to have', positiveInteger)
    .option('--json', JSON_HELP)
    .addHelpText('after', WHAT)
    .addHelpText('after', example('twhin reshard --graph engagement --to 4'))
    .action(async ({ graph, to, json }) => {
      const { output } = context;
      const plan = await planReshard(graph, to, context);
      await withPresentStores(plan, async (present) => {
        const result = resultOf(plan, present, await reshard(plan, present, context));
        if (json === true) output.out(JSON.stringify(result));
        else print(result, output);
      });
    });
}

const WHAT = `
The configuration says how many shards there are now. Everything that the graph learned goes on. The present stores stay as
they are, to go back to; the command says what to do next, and how to go back.`;
