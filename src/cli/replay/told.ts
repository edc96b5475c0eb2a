import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { reasonOf } from '../../errors/errors.ts';
import type { Log } from '../../log.ts';
import type { Progress } from '../../pipeline/progress.ts';
import type { ReplayProgress } from '../../replay/progress.ts';
import { type StorePlace, writeAside } from '../../state/places.ts';

const TELL_MS = 2_000;

const told = z.object({
  /** Epoch ms. */
  at: z.number(),
  phase: z.string(),
  perSecond: z.number(),
  /** Seconds to the last record, at the pace so far; absent before there is one. */
  leftS: z.number().optional(),
  partitions: z.array(
    z.object({ topic: z.string(), partition: z.number(), done: z.number(), of: z.number() }),
  ),
  /** By relation, of known entities: recent mean of each event before it was learned. */
  mrr: z.record(z.string(), z.number()),
});

/** How far a replay is, kept beside its store for whoever watches the live one. */
export type Told = z.infer<typeof told>;

/** undefined where a replay has told nothing yet, or what it told can't be read. */
export async function readTold(place: StorePlace): Promise<Told | undefined> {
  const text = await readFile(toldFile(place), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return told.parse(JSON.parse(text));
  } catch {
    // Of another version, or damaged: it is told again within seconds.
    return undefined;
  }
}

export function toldOf({ perSecond, leftS, partitions }: ReplayProgress, progress: Progress): Told {
  const { phase, knownByRelation } = progress;
  const mrr = Object.entries(knownByRelation).map(([relation, quality]) => [relation, quality.mrr] as const);
  return {
    ...{ at: Date.now(), phase, perSecond, partitions: [...partitions], mrr: Object.fromEntries(mrr) },
    ...(leftS !== undefined && { leftS }),
  };
}

/** Tells every two seconds until stopped, and then once more. */
export function tellProgress(place: StorePlace, look: () => Told, log: Log): { stop(): Promise<void> } {
  let telling: Promise<void> = Promise.resolve();
  const tell = () => {
    telling = telling
      .then(() => writeAside(toldFile(place), JSON.stringify(look())))
      .catch((error) => {
        // The replay itself meets a disk that takes nothing, at its next commit.
        log.debug({ into: place.name, reason: reasonOf(error) }, 'progress could not be told');
      });
  };
  const timer = setInterval(tell, TELL_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      tell();
      await telling;
    },
  };
}

function toldFile({ folder }: StorePlace): string {
  return join(folder, 'progress.json');
}
