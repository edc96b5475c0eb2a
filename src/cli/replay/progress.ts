import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { reasonOf } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import type { Progress } from '../../pipeline/progress.ts';
import type { ProgressMeter, ReplayProgress } from '../../replay/progress.ts';
import { type StorePlace, writeAside } from '../../state/places.ts';
import { count, duration } from '../format.ts';
import type { Output } from '../output.ts';

const SHOW_MS = 1_000;
const LOG_MS = 10_000;
const KEEP_MS = 2_000;

/** Reports the progress of a replay: on a terminal every second, in the log every ten seconds. */
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

const progressSchema = z.object({
  /** Epoch ms. */
  at: z.number(),
  phase: z.string(),
  perSecond: z.number(),
  /** Seconds to the last record at the current pace; absent before the first record. */
  leftS: z.number().optional(),
  partitions: z.array(
    z.object({ topic: z.string(), partition: z.number(), done: z.number(), of: z.number() }),
  ),
  /** Recent mean reciprocal rank by relation, of events between known entities before they were learned. */
  mrr: z.record(z.string(), z.number()),
});

/** The progress of a replay as kept in a file beside its store, for the dashboard of the live updater. */
export type KeptProgress = z.infer<typeof progressSchema>;

/** undefined: there is no progress file yet, or the file cannot be read. */
export async function readProgress(place: StorePlace): Promise<KeptProgress | undefined> {
  const text = await readFile(progressFile(place), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return progressSchema.parse(JSON.parse(text));
  } catch {
    // The file is of another version or damaged, and is written again within seconds.
    return undefined;
  }
}

export function keptProgress(
  { perSecond, leftS, partitions }: ReplayProgress,
  progress: Progress,
): KeptProgress {
  const { phase, knownByRelation } = progress;
  const mrr = Object.entries(knownByRelation).map(([relation, quality]) => [relation, quality.mrr] as const);
  return {
    at: Date.now(),
    phase,
    perSecond,
    partitions: [...partitions],
    mrr: Object.fromEntries(mrr),
    ...(leftS !== undefined && { leftS }),
  };
}

/** Writes the progress file every two seconds until stopped, and then once more. */
export function keepProgress(
  place: StorePlace,
  look: () => KeptProgress,
  log: Log,
): { stop(): Promise<void> } {
  let writing: Promise<void> = Promise.resolve();
  const write = () => {
    writing = writing
      .then(() => writeAside(progressFile(place), JSON.stringify(look())))
      .catch((error) => {
        // A full disk stops the replay itself at its next commit.
        log.debug({ into: place.name, reason: reasonOf(error) }, 'the progress file could not be written');
      });
  };
  const timer = setInterval(write, KEEP_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      write();
      await writing;
    },
  };
}

function progressFile({ folder }: StorePlace): string {
  return join(folder, 'progress.json');
}
