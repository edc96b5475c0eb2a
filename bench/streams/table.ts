/**
 * The report of `twhin evaluate stream --json` as Markdown: `npx node bench/streams/table.ts TITLE COMMAND < report.json`.
 * COMMAND: what gave the report, to be shown above the tables.
 */
import { readFileSync } from 'node:fs';
import type { StreamReport } from '../../src/cli/evaluate/stream-report.ts';
import type { Interval } from '../../src/evaluation/bootstrap.ts';
import { LIST_FIGURES } from '../../src/evaluation/ranked-list.ts';

/** Figures that are shown with their intervals. */
const SPREAD: ReadonlySet<string> = new Set(['recall10', 'recall20', 'recall50']);

const [title, command] = process.argv.slice(2);
if (title === undefined || command === undefined) throw new Error('expected a title and a command');
const report: StreamReport = JSON.parse(readFileSync(0, 'utf8').trimEnd().split('\n').at(-1) ?? '');
const { records, edges, entities, users, usersInAll, seeds, seconds } = report;

console.log(`## ${title}

    ${command}

${count(records)} records, ${count(edges)} edges, ${count(entities)} entities; ${count(users)} of ${count(usersInAll)} users; ${seeds === 1 ? 'one seed' : `mean of ${seeds} seeds`}; ${Math.round(seconds)} s in all.
`);
for (const { scope, users: asked, candidates, ways, bySeed, lead } of report.lists) {
  console.log(`Full ranking, ${scope}: ${count(asked)} users, ${count(candidates)} candidates.\n`);
  console.log(
    row([
      '',
      ...LIST_FIGURES.map((name) => name.replace(/(?=\d)/, '@').replace('ndcg', 'NDCG')),
      'coverage',
      'vectors ahead at recall@20',
    ]),
  );
  console.log(`|---|${'---:|'.repeat(LIST_FIGURES.length + 2)}`);
  for (const [way, { figures, coverage }] of Object.entries(ways)) {
    const shown = LIST_FIGURES.map((name) =>
      SPREAD.has(name) ? spread(figures[name]!) : figure(figures[name]!.mean),
    );
    const ahead = lead[way]?.['recall20'];
    console.log(row([way, ...shown, figure(coverage), ahead === undefined ? '' : spread(ahead)]));
  }
  if (seeds > 1)
    console.log(`\nrecall@20 by seed: ${bySeed.map((means) => figure(means['recall20']!)).join(', ')}.`);
  console.log('');
}
const ways = Object.keys(report.prequential[0]?.figures.uniform ?? {});
if (ways.length > 0) {
  console.log('MRR before an edge is learned, among uniform / degree-proportional candidates.\n');
  console.log(row(['', 'edges', ...ways]));
  console.log(`|---|${'---:|'.repeat(ways.length + 1)}`);
}
for (const { slice, edges: of, figures } of report.prequential) {
  const shown = ways.map((way) => {
    const both = (['uniform', 'degree'] as const).map((set) => figures[set][way]!.mrr);
    return both.map((interval) => (way === 'vectors' ? spread(interval) : figure(interval.mean))).join(' / ');
  });
  console.log(row([slice, count(of), ...shown]));
}
console.log('');

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function spread({ mean, low, high }: Interval): string {
  return `${figure(mean)} [${figure(low)}, ${figure(high)}]`;
}

/** 0.1234 as .123. */
function figure(value: number): string {
  return value.toFixed(3).replace(/^(-?)0\./, '$1.');
}

function count(value: number): string {
  return value.toLocaleString('en');
}
