import type { Command } from 'commander';
import { run } from './run.ts';
import { selectGraphs } from './select-graphs.ts';
import { collect, example, type Surroundings } from './surroundings.ts';

export function addRunCommand(program: Command, surroundings: Surroundings): void {
  program
    .command('run')
    .description('consume, train and publish: the always-on process')
    .option('--graph <name>', 'only this graph; may be repeated', collect, [])
    .option('--until-caught-up', 'end once what was there at the start is consumed, trained and published')
    .option('--create-topics', 'create missing topics first')
    .addHelpText(
      'after',
      example('twhin run --create-topics\ntwhin run --graph engagement --until-caught-up'),
    )
    .action(async ({ graph, untilCaughtUp, createTopics }) => {
      const config = await surroundings.config();
      const graphs = selectGraphs(config, graph);
      const options = { graphs, untilCaughtUp: untilCaughtUp === true, createTopics: createTopics === true };
      await run(config, options, surroundings);
    });
}
