import type { Command } from 'commander';
import { withSettings } from '../../config/overrides.ts';
import type { TrialFigures } from '../../evaluation/tune.ts';
import type { CommandContext } from '../context.ts';
import { reportOnStream, withStreamOptions } from '../evaluate/command.ts';
import { figure, spread } from '../evaluate/report.ts';
import type { StreamOptions } from '../evaluate/request.ts';
import { count, duration } from '../format.ts';
import { example, JSON_HELP, positiveInteger } from '../options.ts';
import { type Output, printTable } from '../output.ts';
import { type Confirmed, type TuneReport, tune } from './tune.ts';

const TRIALS = 12;
const SEED = 1;
/** On fewer, what is best says little of what is best on the whole stream. */
const FIRST_ROUND = 30_000;

interface TuneOptions extends StreamOptions {
  readonly trials: number;
  readonly seed: number;
  readonly firstRound: number;
}

export function addTuneCommand(command: Command, context: CommandContext): void {
  command.description(
    'look for better training settings on a stream; nothing live is touched, nothing is applied',
  );
  withStreamOptions(command)
    .option('--trials <n>', 'how many settings are tried beside the current ones', positiveInteger, TRIALS)
    .option('--seed <n>', 'seed of the draws', positiveInteger, SEED)
    .option('--first-round <records>', 'fewest records of a round', positiveInteger, FIRST_ROUND)
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES, WHAT))
    .action(({ trials, seed, firstRound, ...options }: TuneOptions) =>
      reportOnStream(
        options,
        context,
        (request, outside) => tune(request, { trials, seed, firstRound }, outside),
        printTuneReport,
      ),
    );
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

/** Prints the trials, the best first, and what to put into the configuration. */
export function printTuneReport(report: TuneReport, output: Output): void {
  const { graph, records, tuned, holdout, trials, best, confirmed, seconds } = report;
  const kept = `the newest ${Math.round(100 * holdout)} % of ${count(records)} records were kept from all trials`;
  output.out(
    `${graph}: ${trials.length - 1} trials on ${count(tuned)} records, ${duration(seconds * 1000)}; ${kept}`,
  );
  output.out('');
  printTable(
    [
      ['', 'records', ...FIGURES, 'score', 'records/s'],
      ...trials.flatMap(({ settings, rounds }) =>
        rounds
          .slice(-1)
          .map((last) => [
            settings.join(' ') || CURRENT,
            count(last.records),
            ...figures(last),
            figure(last.score, DIGITS),
            count(last.recordsPerS),
          ]),
      ),
    ],
    output,
  );
  output.out('');
  if (confirmed === undefined) {
    output.out('No trial was ahead of the current settings. Nothing is to be changed.');
    return;
  }
  printConfirmed(confirmed, output);
  output.out('');
  output.out('For twhin.config.ts, where it holds for every graph; it counts after a restart:');
  output.out('');
  for (const line of snippet(best)) output.out(`  ${line}`);
}

const DIGITS = 4;
const CURRENT = 'the current settings';
const FIGURES = ['MRR uniform', 'MRR degree', 'recall20'];

function printConfirmed({ best, current, lead }: Confirmed, output: Output): void {
  output.out('On the whole stream, with the records held back that no trial has seen:');
  printTable(
    [
      ['', ...FIGURES],
      ['the best trial', ...figures(best)],
      [CURRENT, ...figures(current)],
    ],
    output,
  );
  output.out('  recall20 of the best trial minus that of the current settings, with 95 % intervals:');
  for (const [scope, interval] of Object.entries(lead)) output.out(`  ${scope}: ${spread(interval)}`);
  if (!Object.values(lead).some(({ low }) => low > 0))
    output.out('  On what no trial has seen, the best trial is not ahead: keep the current settings.');
}

function figures({ mrrUniform, mrrDegree, recall20 }: TrialFigures): string[] {
  return [mrrUniform, mrrDegree, recall20].map((value) => figure(value, DIGITS));
}

/** Settings as lines of a configuration: `model: { beta: 12 },`. */
export function snippet(settings: readonly string[]): string[] {
  return Object.entries(withSettings({}, settings) ?? {}).map(([section, values]) => {
    const entries = Object.entries(values ?? {}).map(([key, value]) => `${key}: ${String(value)}`);
    return `${section}: { ${entries.join(', ')} },`;
  });
}
