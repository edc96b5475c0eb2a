import { median, type Point, slopePerHour, thirds } from './arithmetic.ts';
import type { PageSample, ProcessSample, Run } from './samples.ts';
import { type Figure, heldHeap, pointsOf, undisturbed } from './windows.ts';

/** Something that must hold, and whether it did. */
export interface Check {
  readonly what: string;
  readonly bound: string;
  readonly seen: string;
  readonly holds: boolean;
}

/** Share of the time that is for warming up: nothing of it is judged. */
export const WARM_UP = 0.25;
/** A heap's floor is looked for in spans as long as this: several collections each. */
export const FLOOR_S = 120;
const RSS_SHARE = 0.05;
const HEAP_MIB = 10;
const LATENCY_TIMES = 1.5;
/** Fewer samples than these say nothing. */
const FEW = 20;
const EDGES_SHARE = 0.01;
const SAMPLES_SHARE = 0.95;
const LAG_S = 3;
const PAGE_TIMES = 1.25;
const HIDDEN_NODES = 100;

/** What is left after warming up. */
export function judged<T extends { readonly atS: number }>(samples: readonly T[], minutes: number): T[] {
  return samples.filter(({ atS }) => atS >= minutes * 60 * WARM_UP);
}

interface Range {
  readonly least: number;
  readonly most: number;
}

/** Everything a steady run must show. */
export function verdictOf(run: Run): Check[] {
  const samples = judged(run.process, run.begin.minutes);
  return [
    ...memory(samples),
    ...handles(samples),
    ...pace(samples, run.begin.rate),
    ...population(samples),
    ...(run.pages.length === 0 ? [] : page(judged(run.pages, run.begin.minutes), run)),
    ...ending(run),
  ];
}

function memory(samples: readonly ProcessSample[]): Check[] {
  const rss = pointsOf(samples, 'rssMiB');
  const size = thirds(rss)?.first ?? 0;
  const heap = heldHeap(samples, FLOOR_S);
  return [
    slopeWithin('resident memory', rss, size * RSS_SHARE, `5 % of ${size.toFixed(0)} MiB`),
    compared('resident memory', rss, 'MiB', (first) => first * (1 + RSS_SHARE), '5 % more'),
    slopeWithin('heap after collections', heap, HEAP_MIB, `${HEAP_MIB} MiB`),
  ];
}

function slopeWithin(what: string, points: readonly Point[], mib: number, bound: string): Check {
  const slope = slopePerHour(points);
  return {
    what: `${what}, slope`,
    bound: `within ±${bound} an hour`,
    seen: slope === undefined ? 'nothing' : `${signed(slope)} MiB an hour`,
    holds: slope !== undefined && Math.abs(slope) <= mib,
  };
}

function handles(samples: readonly ProcessSample[]): Check[] {
  // Threads are few and made once; files of a store come and go with its tables.
  const named: readonly (readonly [Figure, string, number])[] = [
    ['files', 'open files', 2],
    ['threads', 'threads', 0],
    ['connections', 'open connections to its port', 2],
  ];
  return named.map(([figure, what, more]) =>
    compared(what, pointsOf(samples, figure), '', (first) => first + more, `${more} more`),
  );
}

/** Latencies are judged where the machine's other work did not decide them. */
function pace(samples: readonly ProcessSample[], rate: number): Check[] {
  const times = (first: number) => first * LATENCY_TIMES;
  const lag = thirds(pointsOf(samples, 'lag'));
  const calm = undisturbed(samples);
  const third = ((samples.at(-1)?.atS ?? 0) - (samples[0]?.atS ?? 0)) / 3;
  const [first, last] = [
    calm.filter(({ atS }) => atS <= (samples[0]?.atS ?? 0) + third),
    calm.filter(({ atS }) => atS >= (samples.at(-1)?.atS ?? 0) - third),
  ];
  const enough = Math.min(first.length, last.length) >= FEW;
  const latency = (figure: 'p50Ms' | 'p99Ms', what: string): Check => {
    const [before, after] = [first, last].map((part) =>
      median(pointsOf(part, figure).map(({ value }) => value)),
    );
    return {
      what: `${what}, median of the first and of the last third, where it had its core`,
      bound: `at most ${LATENCY_TIMES} times, ${FEW} samples each`,
      seen: `${count(before ?? 0)} → ${count(after ?? 0)} ms; ${first.length} and ${last.length} samples`,
      holds: enough && before !== undefined && after !== undefined && after <= times(before),
    };
  };
  return [
    latency('p50Ms', 'latency, p50'),
    latency('p99Ms', 'latency, p99'),
    {
      what: 'records that wait in the topics',
      bound: `at most ${LAG_S} s of the load, ${count(LAG_S * rate)}`,
      seen: lag === undefined ? 'nothing' : `${count(lag.first)} → ${count(lag.last)}`,
      holds: lag !== undefined && lag.last <= LAG_S * rate,
    },
  ];
}

/** That the world did not grow: else flat memory would not be asked for. */
function population(samples: readonly ProcessSample[]): Check[] {
  const range = (figure: Figure): Range | undefined => {
    const values = pointsOf(samples, figure).map(({ value }) => value);
    return values.length === 0 ? undefined : { least: Math.min(...values), most: Math.max(...values) };
  };
  const [entities, rows, edges] = [range('entities'), range('rows'), range('edges')];
  return [
    {
      what: 'entities, and rows of the tables',
      bound: 'the same at all times',
      seen: `${spread(entities)}, ${spread(rows)}`,
      holds: [entities, rows].every((range) => range !== undefined && range.least === range.most),
    },
    {
      what: 'live edges',
      bound: 'within 1 %',
      seen: spread(edges),
      holds: edges !== undefined && edges.most - edges.least <= edges.most * EDGES_SHARE,
    },
  ];
}

/**
 * The tab that stayed open, beside the one that was loaded anew: of each the most it held in the last third, since what
 * they show changes.
 */
function page(samples: readonly PageSample[], run: Run): Check[] {
  const problems = judged(run.problems, run.begin.minutes);
  const from = (samples[0]?.atS ?? 0) / 3 + ((samples.at(-1)?.atS ?? 0) * 2) / 3;
  const most = (tab: string, figure: 'heapMiB' | 'listeners') =>
    Math.max(...samples.filter((each) => each.tab === tab && each.atS >= from).map((each) => each[figure]));
  const beside = (figure: 'heapMiB' | 'listeners', what: string): Check => {
    const [stays, reloads] = [most('stays', figure), most('reloads', figure)];
    return {
      what: `${what} of the page that stayed open, the most in the last third`,
      bound: `at most ${PAGE_TIMES} times that of the page loaded anew`,
      seen: `${Math.round(stays * 10) / 10} beside ${Math.round(reloads * 10) / 10}${figure === 'heapMiB' ? ' MiB' : ''}`,
      holds: reloads > 0 && stays <= reloads * PAGE_TIMES,
    };
  };
  return [
    beside('heapMiB', 'heap'),
    hiddenNodes(samples),
    beside('listeners', 'listeners'),
    {
      what: 'errors and warnings of the pages, answers that did not come',
      bound: 'none',
      seen: problems.length === 0 ? 'none' : `${problems.length}, the first: ${oneLine(problems[0]?.text)}`,
      holds: problems.length === 0,
    },
  ];
}

/**
 * What the page's code holds of what it showed once. Medians: nodes that were replaced a moment ago and wait to be
 * collected are in one sample and not in the next.
 */
function hiddenNodes(samples: readonly PageSample[]): Check {
  const hidden = samples
    .filter(({ tab }) => tab === 'stays')
    .map(({ atS, nodes, shown = 0 }) => ({ atS, value: nodes - shown }));
  const what = 'nodes that the page that stayed open holds and does not show';
  return compared(what, hidden, '', (first) => first + HIDDEN_NODES, `${HIDDEN_NODES} more`);
}

function ending({ begin, process, end }: Run): Check[] {
  // A sample every ten seconds; with too few nothing above means much.
  const wanted = (begin.minutes * 60) / 10;
  const wrong = end?.verified['problem'];
  return [
    {
      what: 'samples',
      bound: `at least 95 % of ${wanted.toFixed(0)}`,
      seen: count(process.length),
      holds: process.length >= Math.floor(wanted * SAMPLES_SHARE),
    },
    {
      what: 'the updater ended, when told to, with',
      bound: '0, and no warning in its log',
      seen: end === undefined ? 'not seen' : `${end.exit}, ${end.warnings.length} warnings`,
      holds: end !== undefined && end.exit === '0' && end.warnings.length === 0,
    },
    {
      what: 'stores, topics, dead letters, counts and steps against the input',
      bound: 'nothing lost, nothing twice',
      seen: end === undefined ? 'not verified' : wrong === undefined ? 'all as it must be' : oneLine(wrong),
      holds: end !== undefined && wrong === undefined,
    },
  ];
}

/** A figure's median in the last third of the judged time beside that in its first. */
function compared(
  what: string,
  points: readonly Point[],
  unit: string,
  limit: (first: number) => number,
  bound: string,
): Check {
  const found = thirds(points);
  return {
    what: `${what}, median of the first and of the last third`,
    bound: `at most ${bound}`,
    seen: found === undefined ? 'nothing' : `${count(found.first)} → ${count(found.last)} ${unit}`.trim(),
    holds: found !== undefined && found.last <= limit(found.first),
  };
}

/** Of a cell of a table. */
function oneLine(text: unknown): string {
  return String(text).split('\n', 1).join('').replaceAll('|', '/').slice(0, 200);
}

export function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function spread(range: Range | undefined): string {
  if (range === undefined) return 'nothing';
  const { least, most } = range;
  return least === most ? count(least) : `${count(least)} to ${count(most)}`;
}
