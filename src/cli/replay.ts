import type { Command } from 'commander';
import { FatalError } from '../errors.ts';
import { collect, example, positiveNumber, type Surroundings } from './surroundings.ts';

/** Puts `twhin replay` and what is done with its stores on the command line. */
export function addReplayCommand(program: Command, _surroundings: Surroundings): void {
  // Positional: what follows a subcommand's name is the subcommand's, though the option be known here too.
  program
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
    .addHelpText('after', example('twhin replay --graph engagement --from 7d --into shadow --set dim=64'))
    .action(() => {
      throw new FatalError('replay', 'replay is being built');
    });
}
