import type { Verified } from '../verifier/verify.ts';
import type { Sample } from './meter.ts';
import type { Recovery } from './recovery.ts';
import type { Ending } from './supervisor.ts';

/** Everything a soak found out. */
export interface Outcome {
  readonly command: string;
  readonly seed: number;
  readonly minutes: number;
  readonly brokers: number;
  readonly recoveries: readonly Recovery[];
  readonly samples: readonly Sample[];
  readonly starts: number;
  readonly endings: readonly Ending[];
  readonly sent: number;
  readonly acknowledged: number;
  readonly feederRetries: number;
  readonly drainMs: number;
  /** What the verifier said; the reason where it refused. */
  readonly verified: Verified | { readonly problem: string };
}

/** The outcome as a page of Markdown. */
export function reportOf(outcome: Outcome): string {
  const { verified } = outcome;
  const right = !('problem' in verified);
  return [
    `# Soak: ${outcome.minutes} minutes of mixed faults, ${right ? 'nothing lost, nothing twice' : 'NOT RIGHT'}`,
    '',
    `\`${outcome.command}\`; seed ${outcome.seed}, ${outcome.brokers} brokers.`,
    '',
    ...events(outcome),
    '',
    ...faults(outcome.recoveries),
    '',
    ...endings(outcome),
    '',
    ...growth(outcome.samples),
    ...('problem' in verified ? ['', '## What is not right', '', '```text', verified.problem, '```'] : []),
  ].join('\n');
}

function events({ sent, acknowledged, feederRetries, verified, drainMs, starts }: Outcome): string[] {
  const lines: (readonly [string, string])[] = [
    ['events made', count(sent)],
    ['acknowledged by the brokers', count(acknowledged)],
    ['requests the load had to repeat', count(feederRetries)],
    ['starts of the updater', count(starts)],
    ['time to drain at the end', seconds(drainMs)],
  ];
  if (!('problem' in verified)) {
    lines.push(
      ['events in the log, duplicates of the load’s own repeats included', count(verified.events)],
      ['… of these sent twice', count(verified.sentTwice)],
      ['acknowledged events that are lost', '0'],
      ['edges, live and removed, that differ from the input’s', '0'],
      ['live edges, removed edges', `${count(verified.edges)}, ${count(verified.removed)}`],
      ['entities', count(verified.entities)],
      ['vectors and tombstones published', count(verified.published)],
      ['… of these again, with the same step and bytes', count(verified.publishedAgain)],
      ['keys whose step went back, or whose last vector is not the store’s', '0'],
      [
        'dead letters, of these repeated after a kill',
        `${count(verified.letters)}, ${count(verified.lettersRepeated)}`,
      ],
      ['events whose being a repeat hangs on the order of partitions', count(verified.unsure)],
    );
  }
  return ['| | |', '|---|---:|', ...lines.map(([what, figure]) => `| ${what} | ${figure} |`)];
}

function faults(recoveries: readonly Recovery[]): string[] {
  const rows = [...Map.groupBy(recoveries, ({ kind }) => kind)].map(([kind, all]) => {
    const caught = all.map(({ caughtUpMs }) => caughtUpMs).filter((ms) => ms !== undefined);
    const first = all.map(({ firstCommitMs }) => firstCommitMs).filter((ms) => ms !== undefined);
    const late = all.length - caught.length;
    const figures = [quantile(first, 0.5), quantile(first, 1), quantile(caught, 0.5), quantile(caught, 1)];
    return `| ${kind} | ${all.length} | ${figures.map(seconds).join(' | ')} | ${late} |`;
  });
  return [
    `${recoveries.length} faults. Times are from the end of the fault: to the first commit, and until all that was fed by then is in the stores.`,
    '',
    '| Fault | Times | First commit, median | longest | All in, median | longest | Not within the limit |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows.sort(),
  ];
}

function endings({ endings: all }: Outcome): string[] {
  if (all.length === 0) return ['The updater never ended by itself.'];
  return [
    `The updater ended by itself ${all.length} times, and was started again:`,
    '',
    ...all.map(
      ({ code, signal, lastWords }) =>
        `- ${code ?? signal}: \`${lastWords.split('\n').at(-1)?.slice(0, 300)}\``,
    ),
  ];
}

/** Figures over time, and their growth within the lives of processes that lived for a minute. */
function growth(samples: readonly Sample[]): string[] {
  const step = Math.max(1, Math.floor(samples.length / 12));
  const rows = samples
    .filter((_, i) => i % step === 0 || i === samples.length - 1)
    .map(
      ({ atS, consumed, edges, memoryMiB, files, threads, diskMiB }) =>
        `| ${Math.round(atS / 6) / 10} | ${count(consumed)} | ${count(edges)} | ${memoryMiB} | ${files} | ${threads} | ${diskMiB} |`,
    );
  const lives = [...Map.groupBy(samples, ({ pid }) => pid).values()].filter(
    (life) => (life.at(-1)?.atS ?? 0) - (life[1]?.atS ?? 0) >= 60,
  );
  const grown = lives.map((life) => {
    // The first sample is of a process that is still loading.
    const [from, to] = [life[1], life.at(-1)];
    if (from === undefined || to === undefined) return '';
    const minutes = ((to.atS - from.atS) / 60).toFixed(1);
    return `- ${minutes} min: memory ${from.memoryMiB} → ${to.memoryMiB} MiB, files ${from.files} → ${to.files}, threads ${from.threads} → ${to.threads}`;
  });
  return [
    '| Minute | Events in the stores | Live edges | Memory, MiB | Open files | Threads | Stores on disk, MiB |',
    '|---:|---:|---:|---:|---:|---:|---:|',
    ...rows,
    '',
    'Within the processes that lived for over a minute:',
    '',
    ...(grown.length > 0 ? grown : ['- none did']),
  ];
}

function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${(ms / 1000).toFixed(1)} s`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
