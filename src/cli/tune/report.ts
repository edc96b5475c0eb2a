import { withSettings } from '../../config/overrides.ts';
import type { TrialFigures } from '../../evaluation/tune.ts';
import { spread } from '../evaluate/report.ts';
import { count, duration } from '../format.ts';
import type { Output } from '../output.ts';
import { printTable } from '../output.ts';
import type { Confirmed, TuneReport } from './tune.ts';

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
            figure(last.score),
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
  return [mrrUniform, mrrDegree, recall20].map(figure);
}

function figure(value: number): string {
  return value.toFixed(4).replace(/^0\./, '.');
}

/** Settings as lines of a configuration: `model: { beta: 12 },`. */
export function snippet(settings: readonly string[]): string[] {
  return Object.entries(withSettings({}, settings) ?? {}).map(([section, values]) => {
    const entries = Object.entries(values ?? {}).map(([key, value]) => `${key}: ${String(value)}`);
    return `${section}: { ${entries.join(', ')} },`;
  });
}
