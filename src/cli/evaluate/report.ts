import type { Interval } from '../../evaluation/bootstrap.ts';
import { LIST_FIGURES, type ScopeFigures } from '../../evaluation/stream/lists.ts';
import { CANDIDATE_SETS } from '../../evaluation/stream/slices.ts';
import { count, duration } from '../format.ts';
import { type Output, printTable } from '../output.ts';
import { lossLines, type StreamReport } from './measure.ts';

export function printStreamReport(report: StreamReport, output: Output): void {
  const { graph, records, edges, entities, seconds } = report;
  output.out(
    `${graph}: ${count(records)} records, ${count(edges)} edges learned, ${count(entities)} entities; ${duration(seconds * 1000)}`,
  );
  for (const line of lossLines(report)) output.out(`  ${line}`);
  for (const scope of report.lists) {
    output.out('');
    printScope(report, scope, output);
  }
  for (const set of CANDIDATE_SETS) {
    output.out('');
    printSlices(report, set, output);
  }
}

function printScope(
  report: StreamReport,
  { scope, users, candidates, ways, lead }: ScopeFigures,
  output: Output,
): void {
  const drawn = report.users < report.usersInAll ? `, of users drawn from ${count(report.usersInAll)}` : '';
  output.out(
    `${scope}: the newest ${Math.round(100 * report.holdout)} % predicted for ${count(users)} users${drawn}; ` +
      `all ${count(candidates)} candidates ranked`,
  );
  printTable(
    [
      ['', ...LIST_FIGURES, 'coverage', 'vectors ahead at recall20'],
      ...Object.entries(ways).map(([way, { figures, coverage }]) => [
        way,
        ...LIST_FIGURES.map((name) => spread(figures[name])),
        coverage.toFixed(3),
        spread(lead[way]?.['recall20']),
      ]),
    ],
    output,
  );
}

function printSlices(
  { prequential, candidates }: StreamReport,
  set: (typeof CANDIDATE_SETS)[number],
  output: Output,
): void {
  const ways = Object.keys(prequential[0]?.figures[set] ?? {});
  const drawn = set === 'uniform' ? 'drawn uniformly' : 'drawn in proportion to their edges';
  output.out(`MRR of edges before they are learned, among ${count(candidates)} candidates ${drawn}`);
  printTable(
    [
      ['', 'edges', 'users', ...ways, 'vectors ahead of popularity'],
      ...prequential.map(({ slice, edges, users, figures, lead }) => [
        slice,
        count(edges),
        count(users),
        ...ways.map((way) => spread(figures[set][way]?.mrr)),
        spread(lead[set]['popularity']),
      ]),
    ],
    output,
  );
}

/** A mean with its 95 % interval, such as .121 [.118 .124]. */
export function spread(interval: Interval | undefined): string {
  if (interval === undefined) return '';
  const { mean, low, high } = interval;
  return `${figure(mean)} [${figure(low)} ${figure(high)}]`;
}

/** 0.1234 as .123. */
export function figure(value: number, digits = 3): string {
  return value.toFixed(digits).replace(/^(-?)0\./, '$1.');
}
