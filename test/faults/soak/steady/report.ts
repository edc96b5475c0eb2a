import { floors, median, type Point, slopePerHour } from './arithmetic.ts';
import type { PageSample, ProcessSample, Run } from './samples.ts';
import { type Check, count, FLOOR_S, judged, signed, verdictOf, WARM_UP } from './verdict.ts';
import { between, type Figure, heldHeap, MOST_WAITED, pointsOf, type Window, windowsOf } from './windows.ts';

const PARTS = 6;
/** Pages are looked at so often. */
const PAGES_S = 60;

/** A steady run as a page of Markdown, and whether all held that must. */
export function steadyReport(run: Run): { text: string; right: boolean } {
  const { begin } = run;
  const checks = verdictOf(run);
  const broken = checks.filter(({ holds }) => !holds).length;
  const windows = windowsOf(run.process, (begin.minutes * 60) / PARTS);
  const lines = [
    `# ${begin.minutes} minutes at steady load: ${broken === 0 ? 'all bounds held' : `${broken} of ${checks.length} BOUNDS BROKEN`}`,
    '',
    `\`${begin.command}\``,
    '',
    ...setting(run),
    '',
    ...memory(windows),
    '',
    ...pace(windows),
    '',
    ...pages(run),
    ...slopes(run),
    '',
    ...verdict(checks),
  ];
  return { text: lines.join('\n'), right: broken === 0 };
}

function setting({ begin, process }: Run): string[] {
  const { population: of } = begin;
  const loads = pointsOf(process, 'load').map(({ value }) => value);
  const sample = process.at(-1);
  const [entities = 0, edges = 0] = (['entities', 'edges'] as const).map((figure) =>
    sample === undefined ? 0 : (pointsOf([sample], figure)[0]?.value ?? 0),
  );
  return [
    `${begin.machine}, ${begin.versions}; ${begin.brokers} broker(s), load, browser and updater on it, the configuration as`,
    `it is shipped. Other work went on beside it: the machine's load was ${Math.min(...loads).toFixed(1)} to`,
    `${Math.max(...loads).toFixed(1)}, ${median(loads)?.toFixed(1) ?? '–'} at the median. Seed ${begin.seed}.`,
    '',
    `The world: ${count(of['users'] ?? 0)} users, ${count(of['tweets'] ?? 0)} tweets, ${of['ads']} ads, ${of['queries']} queries; each user has`,
    `${of['follows']} others to follow, ${of['engagements']} tweets, ${of['clicks']} ads and ${of['searches']} queries, and no edge is ever beyond these. All of it was fed`,
    `first (${count(begin.filled)} events in ${begin.fillS.toFixed(0)} s): saturated before the time began. Then ${begin.rate} events a second among them:`,
    `follows, unfollows, likes, unlikes and edges said again; ${count(entities)} entities and about ${count(edges)} live edges in both graphs.`,
    `The first ${WARM_UP * 100} % of the time is for warming up and is not judged.`,
    ...(collected(process)
      ? [
          'Once a minute the updater was asked, through its debugger, to collect its garbage: what its heap holds is exact.',
        ]
      : []),
  ];
}

function memory(windows: readonly Window[]): string[] {
  const middle = ({ samples }: Window, figure: Figure) =>
    median(pointsOf(samples, figure).map(({ value }) => value)) ?? 0;
  const least = ({ samples }: Window) => Math.min(...heldHeap(samples, FLOOR_S).map(({ value }) => value));
  return table(
    [
      'Minutes',
      'RSS, MiB',
      'JS heap, least, MiB',
      'outside it, MiB',
      'Files',
      'Threads',
      'Connections',
      'Stores, MiB',
    ],
    windows.map((window) => [
      minutes(window),
      ...[count(middle(window, 'rssMiB')), least(window).toFixed(1), count(middle(window, 'externalMiB'))],
      ...(['files', 'threads', 'connections', 'storeMiB'] as const).map((figure) =>
        count(middle(window, figure)),
      ),
    ]),
  );
}

function pace(windows: readonly Window[]): string[] {
  const middle = ({ samples }: Window, figure: Figure) =>
    median(pointsOf(samples, figure).map(({ value }) => value)) ?? 0;
  const ms = (value: number | undefined) => (value === undefined ? '–' : count(value));
  return [
    ...table(
      [
        'Minutes',
        'p50, ms',
        'p99, ms',
        'from the event: p50',
        'p99',
        'Loop, p99, ms',
        'Events/s',
        'Cores',
        'Waited, %',
        'Load',
      ],
      windows.map((window) => [
        minutes(window),
        ...[count(middle(window, 'p50Ms')), count(middle(window, 'p99Ms'))],
        ...[ms(window.eventP50Ms), ms(window.eventP99Ms), ms(window.loopP99Ms)],
        ...[count(window.eventsPerS), window.cores.toFixed(2)],
        ...[
          window.waited === undefined ? '–' : count(window.waited * 100),
          middle(window, 'load').toFixed(1),
        ],
      ]),
    ),
    '',
    'p50 and p99: record taken from the log → vector acknowledged, of the slower graph, exact over the newest 4,096 vectors,',
    'medians of a look every 10 s. From the event: within buckets, by interpolation. Events/s: each graph counts what it reads.',
    `Waited: of the time, how long its main thread was ready to run and others had the cores. Over ${MOST_WAITED * 100} % in the minute before, a`,
    'latency is not judged.',
  ];
}

function pages({ pages: all, begin, visits }: Run): string[] {
  if (all.length === 0) return [];
  const at = (tab: string, minute: number): PageSample | undefined =>
    all.findLast((each) => each.tab === tab && each.atS <= minute * 60 + PAGES_S / 2);
  const parts = Array.from({ length: PARTS + 1 }, (_, part) => (begin.minutes / PARTS) * part).filter(
    (minute) => minute * 60 <= (all.at(-1)?.atS ?? 0) + PAGES_S,
  );
  const rows = parts.map((minute) => {
    const both = ['stays', 'reloads'].map((tab) => at(tab, minute));
    const pair = (figure: (each: PageSample) => string) =>
      both.map((each) => (each === undefined ? '–' : figure(each))).join(' and ');
    return [
      String(Math.round(minute * 10) / 10),
      pair(({ heapMiB }) => heapMiB.toFixed(1)),
      pair(({ nodes }) => count(nodes)),
      pair(({ listeners }) => count(listeners)),
    ];
  });
  const { loads = {}, looks = {} } = visits ?? {};
  return [
    ...table(['Minute', 'Heap of the page, MiB', 'Nodes', 'Listeners'], rows),
    '',
    `Two tabs in Chromium, after a collection: one that stayed as it was opened, and one that was loaded ${loads['reloads'] ?? 0} times. Their`,
    `curves become longer for an hour, in both. Entities looked at: ${looks['entity'] ?? 0}; changes of graph ${looks['graph'] ?? 0}, of the time shown`,
    `${looks['range'] ?? 0}; looks at the map ${looks['map'] ?? 0}.`,
    '',
  ];
}

function slopes({ process, begin }: Run): string[] {
  const samples = judged(process, begin.minutes);
  const [before, after] = [samples[0], samples.at(-1)];
  const of = (points: readonly Point[]) => {
    const found = slopePerHour(points);
    return found === undefined ? '–' : signed(found);
  };
  const slope = (figure: Figure) => of(pointsOf(samples, figure));
  const lines: (readonly [string, string])[] = [
    ['RSS, MiB an hour', slope('rssMiB')],
    [
      `JS heap, ${collected(samples) ? 'after collections' : `least of each ${FLOOR_S / 60} minutes`}, MiB an hour`,
      of(heldHeap(samples, FLOOR_S)),
    ],
    ['outside the JS heap, least, MiB an hour', of(floors(pointsOf(samples, 'externalMiB'), FLOOR_S))],
    ['open files an hour', slope('files')],
    ['p50, p99, ms an hour', `${slope('p50Ms')}, ${slope('p99Ms')}`],
  ];
  if (before !== undefined && after !== undefined) {
    const { cores, eventsPerS } = between(before, after);
    const each = (cores / eventsPerS) * 1000;
    lines.push(['processor time for 1,000 events at this rate, dashboard included', `${each.toFixed(2)} s`]);
  }
  return ['Slopes by Theil–Sen, over the time that is judged:', '', ...table(['', ''], lines)];
}

function collected(samples: readonly ProcessSample[]): boolean {
  return samples.some(({ heldMiB }) => heldMiB !== undefined);
}

function verdict(checks: readonly Check[]): string[] {
  return table(
    ['What must hold', 'Bound', 'Seen', ''],
    checks.map(({ what, bound, seen, holds }) => [what, bound, seen, holds ? 'holds' : '**BROKEN**']),
    1,
  );
}

function minutes({ fromS, toS }: Window): string {
  const round = (seconds: number) => Math.round(seconds / 6) / 10;
  return `${round(fromS)}–${round(toS)}`;
}

/** The first `left` columns are text, unless all but the first are. */
function table(head: readonly string[], rows: readonly (readonly string[])[], left?: number): string[] {
  const rules = head.map((_, i) => (left === undefined && i > 0 ? '---:' : '---'));
  return [head, rules, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
