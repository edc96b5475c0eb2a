/**
 * What quality costs: MRR on FB15k-237 told once and recall@20 on Higgs, against the events that one core trains in a second, for
 * other numbers of updates, negatives and dimensions. A Markdown table, and a picture:
 * `npm run bench:frontier -- --higgs FILE --data FOLDER [--limit EVENTS] [--only TEXT …] [--svg FILE]`
 *
 * --data: a folder with FB15k-237/train.txt, valid.txt and test.txt. --limit: events of which the cost is measured (200000): all
 * threads' processor time of `twhin run` on an embedded log, reading, training, committing and publishing.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { measured } from './child.ts';
import { commandLine } from './command-line.ts';
import { Stream } from './e2e/stream.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');

/** Settings over the default ones. Those of one series are joined in the picture. */
interface Point {
  readonly name: string;
  readonly set: readonly string[];
  readonly series?: 'updates';
}

const POINTS: readonly Point[] = [
  ...[1, 2, 4, 8].map((updates): Point => {
    return { name: `E=${updates}`, set: [`training.updatesPerEdge=${updates}`], series: 'updates' };
  }),
  { name: '64 uniform', set: ['training.uniformNegatives=64'] },
  { name: '448 uniform', set: ['training.uniformNegatives=448'] },
  { name: 'd=64', set: ['model.dim=64'] },
  { name: 'd=256', set: ['model.dim=256'] },
];

interface Measured extends Point {
  /** Events that a core trains in a second. */
  readonly eventsPerS: number;
  readonly mrr: number;
  readonly recall20: number;
}

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    data: { type: 'string' },
    limit: { type: 'string', default: '200000' },
    only: { type: 'string', multiple: true, default: [] },
    svg: { type: 'string' },
  },
});
const { higgs, data, limit, only, svg } = values;
if (higgs === undefined || data === undefined) throw new Error('expected --higgs FILE and --data FOLDER');
const points = POINTS.filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)));
if (points.length === 0)
  throw new Error(`--only: expected part of ${POINTS.map(({ name }) => name).join('; ')}`);

const kgReport = z.object({ mrr: z.number() });
const streamReport = z.object({
  lists: z.array(
    z.object({
      ways: z.object({
        vectors: z.object({ figures: z.object({ recall20: z.object({ mean: z.number() }) }) }),
      }),
    }),
  ),
});

/** What the command says with --json. */
async function said(args: readonly string[], set: readonly string[]): Promise<unknown> {
  const settings = set.flatMap((each) => ['--set', each]);
  const { stdout } = await measured([COMMAND, 'evaluate', ...args, ...settings, '--json'], process.env);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

async function qualityOf(set: readonly string[]): Promise<Pick<Measured, 'mrr' | 'recall20'>> {
  const parts = ['train', 'valid', 'test'].flatMap((part) => [
    `--${part}`,
    join(data ?? '', 'FB15k-237', `${part}.txt`),
  ]);
  const graph = await said(['kg', ...parts, '--passes', '1', '--rank', 'valid'], set);
  const file = ['--file', higgs ?? '', '--format', 'higgs'];
  const stream = await said(['stream', '--graph', 'engagement', ...file, '--no-paper'], set);
  const [whole] = streamReport.parse(stream).lists;
  return {
    mrr: kgReport.parse(graph).mrr,
    recall20: whole?.ways.vectors.figures.recall20.mean ?? Number.NaN,
  };
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const results: Measured[] = [];
const topic = await Stream.start({ higgs, limit }, { embedded: true, say });
try {
  for (const [i, point] of points.entries()) {
    say(`${point.name}: ${i + 1} of ${points.length}`);
    const { usage } = await topic.updater(`cost${i}`, point.set);
    results.push({ ...point, eventsPerS: topic.records / usage.cpu, ...(await qualityOf(point.set)) });
  }
} finally {
  await topic.stop();
}
console.log(`# What quality costs

    ${commandLine('bench:frontier')}

${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. One seed each. MRR: FB15k-237 told once, valid part, filtered. recall@20: Higgs, full ranking of the newest 15 %, all relations.

| | settings | events/s of a core | MRR | recall@20 |
|---|---|---:|---:|---:|
${results
  .map(
    ({ name, set, eventsPerS, mrr, recall20 }) =>
      `| ${name} | ${set.map((each) => `\`${each}\``).join(', ')} | ${Math.round(eventsPerS)} | ${mrr.toFixed(4)} | ${recall20.toFixed(3)} |`,
  )
  .join('\n')}
`);
if (svg !== undefined) await writeFile(svg, picture(results));

/** Two scatters side by side over the same axis of costs, which is logarithmic. */
function picture(all: readonly Measured[]): string {
  const [width, height] = [360, 260];
  const panels = [
    { title: 'MRR, FB15k-237 told once', of: ({ mrr }: Measured) => mrr },
    { title: 'recall@20, Higgs', of: ({ recall20 }: Measured) => recall20 },
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * width} ${height}" width="${2 * width}" height="${height}" font-family="sans-serif" font-size="11">`,
    '<title>MRR and recall@20 against events a second of a core</title>',
    `<rect width="${2 * width}" height="${height}" fill="#fff"/>`,
    ...panels.map(
      ({ title, of }, i) =>
        `<g transform="translate(${i * width} 0)">${scatter(title, all, of, width, height)}</g>`,
    ),
    '</svg>\n',
  ].join('\n');
}

function scatter(
  title: string,
  all: readonly Measured[],
  of: (point: Measured) => number,
  width: number,
  height: number,
): string {
  const [left, right, top, bottom] = [50, width - 40, 34, height - 34];
  const costs = all.map(({ eventsPerS }) => Math.log(eventsPerS));
  const heights = all.map(of);
  const scale = (values_: readonly number[], from: number, to: number) => {
    const [least, most] = [Math.min(...values_), Math.max(...values_)];
    return (value: number) => from + ((value - least) / (most - least || 1)) * (to - from);
  };
  const [x, y] = [scale(costs, left + 12, right), scale(heights, bottom - 12, top + 12)];
  const place = (point: Measured) =>
    [x(Math.log(point.eventsPerS)).toFixed(1), y(of(point)).toFixed(1)] as const;
  const joined = all.filter(({ series }) => series === 'updates').map((point) => place(point).join(','));
  const marks = all.map((point) => {
    const [cx, cy] = place(point);
    const [colour, dy] = point.series === 'updates' ? ['#1f6feb', 14] : ['#d1442f', -5];
    return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/><text x="${cx}" y="${cy}" dx="6" dy="${dy}" fill="#222">${point.name}</text>`;
  });
  const ticks = [Math.min(...heights), Math.max(...heights)].map(
    (value) =>
      `<text x="${left - 6}" y="${y(value).toFixed(1)}" dy="4" text-anchor="end" fill="#555">${value.toFixed(3)}</text>`,
  );
  const ends = [Math.min(...costs), Math.max(...costs)].map(
    (value) =>
      `<text x="${x(value).toFixed(1)}" y="${bottom + 14}" text-anchor="middle" fill="#555">${Math.round(Math.exp(value)).toLocaleString('en')}</text>`,
  );
  return [
    `<text x="${left}" y="20" font-weight="bold" fill="#222">${title}</text>`,
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#999"/>`,
    ...ticks,
    ...ends,
    `<text x="${right}" y="${height - 5}" text-anchor="end" fill="#555">events/s of a core, logarithmic</text>`,
    `<polyline points="${joined.join(' ')}" fill="none" stroke="#1f6feb" stroke-width="1.3"/>`,
    ...marks,
  ].join('\n');
}
