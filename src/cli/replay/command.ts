import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { collect, example, JSON_HELP, positiveNumber } from '../options.ts';
import { addReplayCompareCommand } from './compare.ts';
import { addReplayPromoteCommand } from './promote.ts';
import { readRequest } from './request.ts';
import { replay } from './run.ts';

/** Puts `twhin replay` and its subcommands on the command line. */
export function addReplayCommand(program: Command, context: CommandContext): void {
  // Positional: an option after the name of a subcommand belongs to the subcommand, also if replay has the same option.
  const command = program
    .command('replay')
    .description('train a graph again from the event topics, into a store beside the live store')
    .enablePositionalOptions()
    .option('--graph <name>', 'the graph to replay')
    .option('--from <start>', 'start: earliest, offsets, a time, or a time before now', 'earliest')
    .option('--until <end>', 'end: latest, offsets, a time, or a time before now', 'latest')
    .option('--into <name>', 'name of the new store')
    .option(
      '--publish <topic>',
      'publish the vectors to this topic, and relation vectors to TOPIC.model; made if missing',
    )
    .option('--set <key=value>', 'a setting that overrides the configuration; may be repeated', collect, [])
    .option('--rate <events>', 'read at most this many events a second', positiveNumber)
    .option(
      '--cpu-share <share>',
      'use at most this share of one core over time, such as 0.5',
      positiveNumber,
    )
    .option('--restart', 'begin anew: remove the store of an earlier replay of that name')
    .option('--dry-run', 'show what would be read, and stop')
    .option('--json', JSON_HELP)
    .addHelpText('after', WHERE)
    .addHelpText('after', example(EXAMPLES))
    .action(async (options) => {
      if (!(await replay(await readRequest(options, context), context))) context.fail();
    });
  addReplayCompareCommand(command, context);
  addReplayPromoteCommand(command, context);
}

const WHERE = `
Values of --from and --until:
  earliest, latest                    the first record of the log; the end of the log now
  TOPIC/PARTITION:OFFSET,…            offsets; other partitions start at the earliest or end at the latest record
  2026-01-31T08:00:00Z, or epoch ms   the first record with this timestamp or a later one
  30m, 2h, 7d                         this long before now
Records are read in the order of the times of their events, so the same range gives the same vectors each time.
The same command continues a replay that was interrupted or killed. The settings are those of the live store, with
--set over them.
A graph with shards is replayed whole: all shards in this process, each into a store of its own, without --publish. What
was interrupted begins anew. The edges are the same each time, the vectors are not.`;

const EXAMPLES = `twhin replay --graph engagement --from 7d --into shadow --dry-run
twhin replay --graph engagement --into shadow --set dim=64 --set learningRate=0.05 --cpu-share 0.5
twhin replay --graph follow --from follow/0:1200,follow/1:900 --until 2026-01-31T08:00:00Z --into january --json`;
