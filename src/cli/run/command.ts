import type { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { selectGraphs } from '../select-graphs.ts';
import { readTopics } from '../select-topics.ts';
import { collect, example, type Surroundings } from '../surroundings.ts';
import { run } from './run.ts';

export function addRunCommand(program: Command, surroundings: Surroundings): void {
  program
    .command('run')
    .description('consume, train and publish: the always-on process')
    .option('--graph <name>', 'only this graph; may be repeated', collect, [])
    .option('--until-caught-up', 'end once what was there at the start is consumed, trained and published')
    .option('--create-topics', 'create missing topics first')
    .option('--standby', 'keep a store of its own warm, and lead once the graph has no other process')
    .option(
      '--reread <topic>',
      'a topic that was made again, or cut by retention: read it from its start',
      collect,
      [],
    )
    .addHelpText(
      'after',
      example(
        'twhin run --create-topics\ntwhin run --graph engagement --until-caught-up\nTWHIN_STATE=/var/lib/twhin-2 twhin run --standby',
      ),
    )
    .action(async ({ graph, untilCaughtUp, createTopics, standby, reread }) => {
      const config = await surroundings.config();
      const graphs = selectGraphs(config, graph);
      const options = {
        ...{ graphs, reread: readTopics(config, graphs, reread), standby: standby === true },
        ...{ untilCaughtUp: untilCaughtUp === true, createTopics: createTopics === true },
      };
      if (options.standby && options.untilCaughtUp) {
        throw new UsageError(
          'standby',
          'a standby never catches up and ends: leave one of --standby, --until-caught-up out',
        );
      }
      await run(config, options, surroundings);
    });
}
