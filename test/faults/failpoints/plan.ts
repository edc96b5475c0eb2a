import { z } from 'zod';
import type { Dice } from '../dice.ts';

/** Calls that a failpoint can stand at: those of the ports through which an updater reaches the outside. */
export const PLACES = [
  'store.write',
  'store.getMany',
  'store.sync',
  'checkpoint.write',
  'checkpoint.block',
  'checkpoint.dropBefore',
  'sink.publish',
  // A router's publish that brings a shard events.
  'sink.route',
  'sink.takeOver',
  'log.take',
  'leadership.commit',
  'leadership.confirm',
] as const;

export type Place = (typeof PLACES)[number];

const failpointSchema = z.object({
  place: z.enum(PLACES),
  /** Before what is called does anything, or after all of it is done. */
  when: z.enum(['before', 'after']),
  /** Which call, from 1; every one from there on where `repeats`. */
  call: z.number().int().positive(),
  repeats: z.boolean().default(false),
  act: z.union([
    z.literal('kill'),
    // SIGSTOP, until someone sends SIGCONT.
    z.literal('freeze'),
    z.object({ delayMs: z.number().positive() }),
    z.object({ error: z.string() }),
  ]),
});

/** Something that goes wrong at a call. */
export type Failpoint = z.infer<typeof failpointSchema>;

/** The same with defaults left out. */
export type FailpointInput = z.input<typeof failpointSchema>;

/** Holds the failpoints of a process, as JSON. */
export const FAILPOINTS = 'TEST_FAILPOINTS';

/** The session of the process's consumer group, ms: as long as it is by default, a test of kills only waits. */
export const SESSION_MS = 'TEST_SESSION_MS';

/** Set: each hand-over of records is told on stderr, `read TOPIC/PARTITION OFFSET`, the first offset of each. */
export const TELL_READS = 'TEST_TELL_READS';

export function readFailpoints(env: NodeJS.ProcessEnv): Failpoint[] {
  return z.array(failpointSchema).parse(JSON.parse(env[FAILPOINTS] ?? '[]'));
}

/** The environment of a process with these failpoints. */
export function withFailpoints(...failpoints: readonly FailpointInput[]): Record<string, string> {
  return { [FAILPOINTS]: JSON.stringify(failpoints) };
}

/** A kill somewhere an updater passes soon. */
export function drawKill(dice: Dice, places: readonly Place[] = KILL_PLACES): Failpoint {
  return {
    place: dice.pick(places),
    when: dice.pick(['before', 'after'] as const),
    call: dice.between(1, 6),
    repeats: false,
    act: 'kill',
  };
}

const KILL_PLACES: readonly Place[] = ['store.write', 'sink.publish', 'log.take', 'leadership.commit'];
