import type { Comparison } from '../../evaluation/compare/compare.ts';
import type { Drift } from '../../evaluation/compare/drift.ts';
import type { Membership } from '../../evaluation/compare/membership.ts';
import type { QualityFigures } from '../../evaluation/compare/quality.ts';
import { verdict } from '../../evaluation/compare/quality.ts';
import type { Offsets } from '../../pipeline/ports.ts';
import { count } from '../format.ts';
import type { Output } from '../output.ts';
import { printTable } from '../table.ts';

/** One of the two stores, as of its last commit. */
export interface ComparedStoreReport {
  readonly name: string;
  readonly live: boolean;
  readonly step: number;
  /** Read so far. */
  readonly events: number;
  /** Newest event time seen, epoch ms. */
  readonly watermark: number;
  /** The run of training it comes from. */
  readonly space: string;
  readonly dim: number;
  readonly scorer: string;
  readonly offsets: Offsets;
}

/** The object that `--json` prints. */
export interface CompareReport extends Comparison {
  readonly graph: string;
  readonly a: ComparedStoreReport;
  readonly b: ComparedStoreReport;
  readonly held: Comparison['held'] & { readonly problem?: string };
  /** null: the figures do not decide. */
  readonly better: 'A' | 'B' | null;
}

/** Prints a comparison for a person to read. */
export function printComparison(report: CompareReport, output: Output): void {
  output.out(`${report.graph}: A is ${nameOf(report.a)}, B is ${nameOf(report.b)}`);
  printTable(
    [['', 'A', 'B'], ...storeRows.map(([label, of]) => [label, of(report.a), of(report.b)])],
    output,
  );
  for (const line of report.models) output.out(`  the models differ in ${line}; what is common is compared`);
  output.out('');
  printMembers('entities', report.entities, output);
  output.out('');
  printMembers('live edges', report.edges, output);
  output.out('');
  printQuality(report, output);
  output.out('');
  printNeighbours(report, output);
  output.out('');
  printDrift(report, output);
  output.out('');
  output.out(verdict(report.quality));
}

const storeRows: readonly [string, (store: ComparedStoreReport) => string][] = [
  ['events read', ({ events }) => count(events)],
  ['newest event', ({ watermark }) => (watermark > 0 ? new Date(watermark).toISOString() : 'none')],
  ['step', ({ step }) => count(step)],
  ['model', ({ dim, scorer }) => `${scorer}, dim ${dim}`],
];

function nameOf({ name, live }: ComparedStoreReport): string {
  return live ? `${name} (live)` : name;
}

function printMembers(what: string, members: Readonly<Record<string, Membership>>, output: Output): void {
  const rows = Object.entries(members).filter(([, { both, onlyA, onlyB }]) => both + onlyA + onlyB > 0);
  printTable(
    [
      [what, 'both', 'only A', 'only B'],
      ...rows.map(([name, { both, onlyA, onlyB }]) => [name, count(both), count(onlyA), count(onlyB)]),
    ],
    output,
  );
  for (const [, { examplesA, examplesB }] of rows) {
    if (examplesA.length > 0) output.out(`  only in A, such as ${examplesA.join(', ')}`);
    if (examplesB.length > 0) output.out(`  only in B, such as ${examplesB.join(', ')}`);
  }
}

function printQuality({ held, quality }: CompareReport, output: Output): void {
  if (quality === undefined) {
    output.out(`quality: ${whyNoQuality(held)}`);
    return;
  }
  output.out(
    `quality on ${count(quality.all.edges)} new edges of ${count(held.records)} events that neither has read; each end is ranked among others of its type`,
  );
  const figures = ({ a, b, popularity }: QualityFigures) => [
    ...[a.mrr, b.mrr, popularity.mrr, a.hits10, b.hits10].map(share),
    ...[a.meanRank, b.meanRank].map((rank) => rank.toFixed(1)),
  ];
  const heads = ['edges', 'MRR A', 'B', 'by popularity', 'hits@10 A', 'B', 'mean rank A', 'B'];
  printTable(
    [
      ['relation', ...heads],
      ...Object.entries({ ...quality.relations, all: quality.all }).map(([name, each]) => [
        name,
        count(each.edges),
        ...figures(each),
      ]),
    ],
    output,
  );
}

/** Why no quality was measured, and how to get it. */
function whyNoQuality({ records, problem }: CompareReport['held']): string {
  if (problem !== undefined)
    return `not compared, because the events that neither store has read cannot be read: ${problem}`;
  if (records === 0) {
    return (
      'not compared, because there is no event that neither store has read. ' +
      'Replay both with the same --until, which holds later events back, or add --wait 5m while events arrive.'
    );
  }
  return (
    `not compared, because none of the ${count(records)} events that neither store has read makes a new edge between entities ` +
    'that both stores have trained. Hold more events back (--until), or read more of them (--events, --wait).'
  );
}

function printNeighbours({ neighbours, entities }: CompareReport, output: Output): void {
  printTable(
    [
      ['10 nearest, by cosine', 'shared', 'by chance', 'entities', 'among', 'trained in both'],
      ...Object.entries(neighbours).map(([type, { shared, chance, asked, among }]) => [
        type,
        ...[shared, chance].map(share),
        ...[asked, among, entities[type]?.trained ?? 0].map(count),
      ]),
    ],
    output,
  );
}

function printDrift({ drift, a, b }: CompareReport, output: Output): void {
  if (a.dim !== b.dim) {
    output.out('drift: not compared, because the dims differ');
    return;
  }
  const row = (type: string, how: string, { entities, distance, cosine }: Drift) => [
    type,
    how,
    count(entities),
    ...[distance.mean, distance.p99, cosine.mean, cosine.p01].map((value) => value.toFixed(3)),
  ];
  printTable(
    [
      ['drift', '', 'entities', 'distance mean', 'p99', 'cosine mean', 'p1'],
      ...Object.entries(drift.raw).flatMap(([type, raw]) => {
        const rotated = drift.rotated[type];
        return [row(type, 'as stored', raw), ...(rotated ? [row(type, 'turned', rotated)] : [])];
      }),
    ],
    output,
  );
  output.out(
    drift.sameSpace
      ? '  both come from one run of training: as stored is how far vectors moved'
      : '  two runs of training are turned against one another: as stored says little, turned is after the rotation that fits best',
  );
}

/** A figure between 0 and 1, such as 0.412. */
function share(value: number): string {
  return value.toFixed(3);
}
