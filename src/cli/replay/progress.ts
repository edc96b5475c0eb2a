import type { TrainingWatch } from '../../compose/replay.ts';
import type { Log } from '../../log.ts';
import { partitionName } from '../../replay/partition.ts';
import type { ReplayProgress } from '../../replay/progress.ts';
import { count, duration } from '../format.ts';
import type { Output } from '../output.ts';

const LOG_MS = 10_000;

/** Says how far a replay is: on a terminal each time it is told, in the log every ten seconds. */
export function replayTeller(
  fields: object,
  { log, output }: { log: Log; output: Output },
): TrainingWatch['tell'] {
  let logged = performance.now();
  return (progress, phase) => {
    output.status(describeReplay(progress, phase));
    if (performance.now() - logged < LOG_MS) return;
    logged = performance.now();
    const { done, of, perSecond, leftS, partitions } = progress;
    const by = Object.fromEntries(partitions.map((each) => [partitionName(each), `${each.done}/${each.of}`]));
    const pace = { perSecond: Math.round(perSecond), leftS: leftS && Math.round(leftS) };
    log.info({ ...fields, phase, done, of, ...pace, partitions: by }, 'replaying');
  };
}

/** The progress in a line: the total, then each unfinished partition, the furthest behind first. */
function describeReplay(progress: ReplayProgress, phase: string): string {
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
