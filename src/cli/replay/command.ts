import type { Command } from 'commander';
import { collect, example, positiveNumber, type Surroundings } from '../surroundings.ts';
import { addReplayCompareCommand } from './compare.ts';
import { addReplayPromoteCommand } from './promote.ts';
import { readRequest } from './request.ts';
import { replay } from './run.ts';

/** Puts `twhin replay` and what is done with its stores on the command line. */
export function addReplayCommand(program: Command, surroundings: Surroundings): void {
  // Positional: what follows a subcommand's name is the subcommand's, though the option be known here too.
  const command = program
    .command('replay')
    .description('train a graph again from the event topics, into a store beside the live one')
    .enablePositionalOptions()
    .option('--graph <name>', 'the graph')
    .option('--from <start>', 'earliest, offsets, a time, or how long ago', 'earliest')
    .option('--until <end>', 'latest, offsets, a time, or how long ago', 'latest')
    .option('--into <name>', 'name of the store; not the live one')
    .option('--publish <topic>', 'publish the vectors to this topic, made when missing')
    .option('--set <key=value>', 'a setting over the configuration; may be repeated', collect, [])
    .option('--rate <events>', 'at most this many events a second', positiveNumber)
    .option('--cpu-share <share>', 'at most this share of one core over time, such as 0.5', positiveNumber)
    .option('--restart', 'begin anew: removes the store of an earlier replay of that name')
    .option('--dry-run', 'say what would be read, and stop')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', WHERE)
    .addHelpText('after', example(EXAMPLES))
    .action(async (options) => {
      if (!(await replay(await readRequest(options, surroundings), surroundings))) surroundings.fail();
    });
  addReplayCompareCommand(command, surroundings);
  addReplayPromoteCommand(command, surroundings);
}

const WHERE = `
Where it starts and ends:
  earliest, latest    what the log holds; latest as it ends now
  TOPIC/PARTITION:OFFSET,…   partitions not named start at their earliest, or end at their latest
  2026-01-31T08:00:00Z, or epoch ms   the first record that the log dates then or later
  30m, 2h, 7d         so long before now
Records come in the order of their events' own times, so that the same range gives the same vectors each time.
The same command again goes on with a replay that was interrupted or killed. Settings are those of the live store
with --set over them.`;

const EXAMPLES = `twhin replay --graph engagement --from 7d --into shadow --dry-run
twhin replay --graph engagement --into shadow --set dim=64 --set learningRate=0.05 --cpu-share 0.5
twhin replay --graph follow --from follow/0:1200,follow/1:900 --until 2026-01-31T08:00:00Z --into january --json`;
