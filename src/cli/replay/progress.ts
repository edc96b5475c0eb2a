import type { Log } from '../../log.ts';
import type { ProgressMeter, ReplayProgress } from '../../replay/progress.ts';
import { duration } from '../duration.ts';
import type { Output } from '../output.ts';
import { count } from '../progress-line.ts';

const SHOW_MS = 1_000;
const LOG_MS = 10_000;

/** Says how far the replay is: on a terminal every second, in the log every ten. */
export function reportReplay(
  meter: ProgressMeter,
  phase: () => string,
  fields: object,
  { log, output }: { log: Log; output: Output },
): { stop(): void } {
  const look = () => {
    if (phase() === 'running') meter.begin();
    return meter.read();
  };
  const show = setInterval(() => output.status(describeReplay(look(), phase())), SHOW_MS);
  const write = setInterval(() => {
    const { done, of, perSecond, leftS, partitions } = look();
    const by = Object.fromEntries(
      partitions.map((each) => [`${each.topic}/${each.partition}`, `${each.done}/${each.of}`]),
    );
    const line = { ...fields, phase: phase(), done, of, perSecond: Math.round(perSecond) };
    log.info({ ...line, leftS: leftS && Math.round(leftS), partitions: by }, 'replaying');
  }, LOG_MS);
  return {
    stop: () => {
      clearInterval(show);
      clearInterval(write);
      output.statusDone();
    },
  };
}

/** The progress in a line: the whole, then each partition that isn't through, the furthest behind first. */
export function describeReplay(progress: ReplayProgress, phase: string): string {
  const { done, of, perSecond, leftS, partitions } = progress;
  const parts = [
    `${phase}: ${count(done)} of ${count(of)} records (${percent(done, of)})`,
    `${count(perSecond)}/s`,
    ...(leftS === undefined || done === of ? [] : [`${duration(leftS * 1000)} to go`]),
  ];
  const open = partitions.filter((each) => each.done < each.of);
  open.sort((a, b) => a.done / a.of - b.done / b.of);
  const each = open.map(
    (partition) => `${partition.topic}/${partition.partition} ${percent(partition.done, partition.of)}`,
  );
  return [parts.join(', '), ...each].join(' | ');
}

function percent(done: number, of: number): string {
  return `${of === 0 ? 100 : Math.floor((done / of) * 100)} %`;
}
