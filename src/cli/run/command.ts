import type { Command } from 'commander';
import { HTTP_DEFAULT, type HttpAddress, readHttpAddress } from '../../config/http-address.ts';
import type { Config } from '../../config/resolve.ts';
import { UsageError } from '../../errors/errors.ts';
import { selectGraphs } from '../select-graphs.ts';
import { readTopics } from '../select-topics.ts';
import { collect, example, type Surroundings } from '../surroundings.ts';
import { run } from './run.ts';
import { Hangups } from './signals.ts';

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
    .option(
      '--http <host:port>',
      'serve health and metrics there, or off (default: 127.0.0.1:8077; with --until-caught-up, off)',
    )
    .addHelpText(
      'after',
      `\nSIGHUP has it read its configuration again: what can count at once does, the log names the rest.\n${example(
        'twhin run --create-topics\ntwhin run --graph engagement --until-caught-up\nTWHIN_STATE=/var/lib/twhin-2 twhin run --standby --http 127.0.0.1:8078',
      )}`,
    )
    .action(async ({ graph, untilCaughtUp, createTopics, standby, reread, http }) => {
      const hangups = new Hangups();
      try {
        const configuration = await surroundings.configuration();
        const { config } = configuration;
        const graphs = selectGraphs(config, graph);
        const options = {
          ...{ graphs, reread: readTopics(config, graphs, reread), standby: standby === true },
          ...{ untilCaughtUp: untilCaughtUp === true, createTopics: createTopics === true },
          http: addressOf(http, config, untilCaughtUp === true),
        };
        if (options.standby && options.untilCaughtUp) {
          throw new UsageError(
            'standby',
            'a standby never catches up and ends: leave one of --standby, --until-caught-up out',
          );
        }
        await run(configuration, options, surroundings, hangups);
      } finally {
        hangups.end();
      }
    });
}

/** Where to serve: as asked; otherwise where always, and nowhere from a run that ends by itself. */
function addressOf(asked: string | undefined, config: Config, ends: boolean): HttpAddress | undefined {
  const problems: string[] = [];
  const address = asked === undefined ? config.http : readHttpAddress('--http', asked, problems);
  if (problems.length > 0) throw new UsageError('http', problems.join('\n'));
  if (address === 'off') return undefined;
  return address ?? (ends ? undefined : HTTP_DEFAULT);
}
