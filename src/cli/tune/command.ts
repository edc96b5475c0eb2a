import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { onStream, withStreamOptions } from '../evaluate/command.ts';
import { readStreamRequest, type StreamOptions } from '../evaluate/request.ts';
import { example, JSON_HELP, positiveInteger } from '../options.ts';
import { printTuneReport } from './report.ts';
import { tune } from './tune.ts';

const TRIALS = 12;
const SEED = 1;
/** On fewer, what is best says little of what is best on the whole stream. */
const FIRST_ROUND = 30_000;

/** The options as typed on the command line. */
interface TuneOptions extends StreamOptions {
  readonly trials: number;
  readonly seed: number;
  readonly firstRound: number;
}

/** Puts `twhin tune` on the command line. */
export function addTuneCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('tune')
    .description(
      'look for better training settings on a stream; nothing live is touched, nothing is applied',
    );
  withStreamOptions(command)
    .option('--trials <n>', 'how many settings are tried beside the current ones', positiveInteger, TRIALS)
    .option('--seed <n>', 'seed of the draws', positiveInteger, SEED)
    .option('--first-round <records>', 'fewest records of a round', positiveInteger, FIRST_ROUND)
    .option('--json', JSON_HELP)
    .addHelpText('after', WHAT)
    .addHelpText('after', example(EXAMPLES))
    .action(async ({ trials, seed, firstRound, ...options }: TuneOptions) => {
      const request = await readStreamRequest(options, context);
      await onStream(request, context, async (outside) => {
        const report = await tune(request, { trials, seed, firstRound }, outside);
        context.output.statusDone();
        if (options.json === true) context.output.out(JSON.stringify(report));
        else printTuneReport(report, context.output);
      });
    });
}

const WHAT = `
Trials draw settings at random around the current ones: the steepness of the score, the learning rate, updates for each event,
and the negatives. A setting given with --set is fixed. The newest events, as many as --holdout says, are kept from all trials.
On the others, each trial trains on the newest ninth, the best third on the newest third, and the best of these on all of them;
with fewer than nine trials, or parts of fewer records than --first-round, there are fewer rounds. A trial is judged by the two protocols of twhin evaluate: its score is
the geometric mean of MRR among uniform candidates, MRR among candidates by degree, and recall@20. At the end the best trial and
the current settings are measured on the whole stream, with the events that no trial has seen held back.`;

const EXAMPLES = `twhin tune --graph engagement --from 30d --trials 27
twhin tune --graph engagement --file events.ndjson.gz --set updatesPerEdge=4`;
