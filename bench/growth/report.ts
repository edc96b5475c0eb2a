import { availableParallelism, cpus, loadavg } from 'node:os';
import { commandLine } from '../command-line.ts';
import { median } from '../median.ts';
import { picture } from './picture.ts';
import type { Sample } from './samples.ts';

const ROWS = 12;
/** Of the run: what comes before is for warming up. */
const WARM = 0.1;

/** The curves over millions of events. */
export function pictureOf(samples: readonly Sample[]): string {
  const curve = (name: keyof Sample) => ({ name, values: samples.map((sample) => sample[name]) });
  return picture(
    [
      { title: 'Events a second', curves: [curve('eventsPerS')] },
      { title: 'Entities', curves: [curve('entities')] },
      { title: 'Resident memory, MiB', curves: [curve('rssMiB')] },
      { title: 'Store on disk, MiB', curves: [curve('storeMiB')] },
      { title: 'Commit, mean, ms', curves: [curve('commitMs')] },
      {
        title: 'Event taken → vector sent, ms:',
        curves: [
          { ...curve('p50Ms'), name: 'p50' },
          { ...curve('p99Ms'), name: 'p99' },
        ],
      },
    ],
    samples.map(({ events }) => events / 1e6),
    'million events',
  );
}

/** The run as Markdown. */
export function report(run: {
  readonly samples: readonly Sample[];
  /** That were to be told. */
  readonly events: number;
  readonly rate: number;
}): string {
  const { samples } = run;
  const { events = 0, at = 0 } = samples.at(-1) ?? {};
  const whole = (value: number) => Math.round(value).toLocaleString('en');
  const step = Math.max(1, Math.floor(samples.length / ROWS));
  const rows = samples.filter((_, i) => i % step === step - 1 || i === samples.length - 1);
  const pace = Number.isFinite(run.rate) ? `${whole(run.rate)} events a second` : 'as fast as it goes';
  const lines = [
    '# While the graph grows\n',
    `    ${commandLine('bench:growth')}\n`,
    `${whole(events)} events${events < run.events ? ` of ${whole(run.events)}, interrupted,` : ''} in ${whole(at)} s, ${pace}. ${cpus()[0]?.model ?? 'Unknown processor'}, ` +
      `${availableParallelism()} cores, Node ${process.version}; broker and feeder on the same machine, load ${loadavg()[0]?.toFixed(1)} at the end.\n`,
    '| Million events | Events/s | Entities | Edges | RSS, MiB | Store, MiB | Cores | Commit, ms | p50, ms | p99, ms | Loop, p99.9, ms |',
    '|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...rows.map((sample) => {
      const { eventsPerS, entities, edges, rssMiB, storeMiB, cores, commitMs, p50Ms, p99Ms, loopMs } = sample;
      const figures = [eventsPerS, entities, edges, rssMiB, storeMiB].map(whole);
      const rest = [commitMs, p50Ms, p99Ms, loopMs].map(whole);
      return `| ${[(sample.events / 1e6).toFixed(2), ...figures, cores.toFixed(2), ...rest].join(' | ')} |`;
    }),
    '',
    ...growth(samples),
  ];
  return lines.join('\n');
}

/** First and last third after warming up; and what an entity and an edge took. */
function growth(samples: readonly Sample[]): string[] {
  const warm = samples.filter(({ events }) => events >= WARM * (samples.at(-1)?.events ?? 0));
  const third = Math.floor(warm.length / 3);
  if (third === 0) return [];
  const [first, last] = [warm.slice(0, third), warm.slice(-third)];
  const medians = (name: keyof Sample) =>
    [first, last].map((part) => median(part.map((sample) => sample[name])));
  const line = (what: string, name: keyof Sample) => {
    const [a = 0, b = 0] = medians(name);
    return `| ${what} | ${a.toFixed(0)} | ${b.toFixed(0)} | ${((100 * b) / a - 100).toFixed(0)} % |`;
  };
  const [rssA = 0, rssB = 0] = medians('rssMiB');
  const [entitiesA = 0, entitiesB = 0] = medians('entities');
  const end = samples.at(-1);
  return [
    '| Medians | first third | last third | change |',
    '|---|---:|---:|---:|',
    line('events a second', 'eventsPerS'),
    line('commit, mean, ms', 'commitMs'),
    line('p50, ms', 'p50Ms'),
    line('p99, ms', 'p99Ms'),
    '',
    `Resident memory for an entity more, its vector and edges with it: ${(((rssB - rssA) * 2 ** 20) / (entitiesB - entitiesA)).toFixed(0)} bytes. ` +
      `Store for an edge, entities and vectors with it: ${(((end?.storeMiB ?? 0) * 2 ** 20) / (end?.edges ?? 1)).toFixed(0)} bytes.`,
  ];
}
