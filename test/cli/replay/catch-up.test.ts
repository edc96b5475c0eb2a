import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../../../src/adapters/connect.ts';
import { realWorld } from '../../../src/cli/context.ts';
import { type CatchUp, catchUp } from '../../../src/cli/replay/catch-up.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { EventLog } from '../../../src/pipeline/ports.ts';
import { placeOf } from '../../../src/state/places.ts';
import { type Place, place } from '../captured.ts';

const REPLAYED = 40;
const SINCE = 30;

let here: Place;
let fed = 0;
async function feed(count: number): Promise<void> {
  const file = join(here.folder, `follows-${fed}.ndjson`);
  const lines = Array.from({ length: count }, (_, i) => ({
    ...{ followerId: `u${fed + i}`, followedId: `u${fed + i + 1}`, action: 'follow' },
    at: 1_704_067_200_000 + fed + i,
  }));
  fed += count;
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  expect((await here.run('feed', file, '--topic', 'follow')).code).toBe(0);
}

/** A store of 40 events, and 30 that came since. */
beforeEach(async () => {
  fed = 0;
  here = await place();
  await writeFile(
    join(here.folder, 'twhin.config.ts'),
    'export default { model: { dim: 8 }, limits: { maxEntities: 1000 } };',
  );
  await here.run('topics', 'apply');
  await feed(REPLAYED);
  expect((await here.run('replay', '--graph', 'follow', '--into', 'shadow')).code).toBe(0);
  await feed(SINCE);
});
afterEach(() => here.remove());

/** Catches the store up through a reader that differs from the log's own; gives what it logged as warnings too. */
async function caughtUp(
  differing: (own: EventLog) => Partial<EventLog>,
  maxLag = 1,
): Promise<{ read: number; left: number; warnings: string[] }> {
  const env = { KAFKA_BROKERS: `file:${join(here.folder, 'log')}`, TWHIN_STATE: join(here.folder, 'state') };
  const config = await loadConfig(env, here.folder, []);
  const graph = config.graphs.find(({ name }) => name === 'follow');
  if (graph === undefined) throw new Error('no graph follow');
  const log = await connect(config.kafka);
  const own = log.log();
  const warnings: string[] = [];
  const nothing = () => undefined;
  const options: CatchUp = {
    ...{
      config,
      graph,
      maxLag,
      pace: {},
      place: placeOf(graph, 'shadow'),
      reader: { ...bound(own), ...differing(own) },
    },
    log: { debug: nothing, info: nothing, warn: (_, message) => warnings.push(message), error: nothing },
    context: {
      output: { out: nothing, err: nothing, status: nothing, statusDone: nothing },
      stopping: new AbortController().signal,
      world: realWorld,
    },
  };
  try {
    return { ...(await catchUp(options)), warnings };
  } finally {
    await own.close();
    await log.close();
  }
}

/** Its methods as a plain object's. */
function bound(own: EventLog): EventLog {
  return {
    ranges: (topics) => own.ranges(topics),
    offsetsAt: (topics, timeMs) => own.offsetsAt(topics, timeMs),
    topicIds: (topics) => own.topicIds(topics),
    read: (stretches) => own.read(stretches),
    follow: (topics, follower) => own.follow(topics, follower),
    close: () => own.close(),
  };
}

test('a store reads the records since its offsets, down to the allowed lag', async () => {
  expect(await caughtUp(() => ({}), SINCE)).toEqual({ read: 0, left: SINCE, warnings: [] });
  expect(await caughtUp(() => ({}))).toEqual({ read: SINCE, left: 0, warnings: [] });
});

test('a store whose next records were deleted by retention is refused, with the commands to continue', async () => {
  const shifted = (own: EventLog): Partial<EventLog> => ({
    ranges: async (topics) =>
      (await own.ranges(topics)).map((range) => ({ ...range, low: range.high + 5, high: range.high + 5 })),
  });
  await expect(caughtUp(shifted, 1_000_000)).rejects.toThrow(
    /^shadow has read twhin\.follow\/\d up to offset \d+, but the log holds \d+ to \d+: retention took .*twhin replay --graph follow --into NAME/,
  );
});

test('a store with an offset beyond the end of the topic is refused', async () => {
  const remade = (own: EventLog): Partial<EventLog> => ({
    ranges: async (topics) => (await own.ranges(topics)).map((range) => ({ ...range, low: 0, high: 0 })),
  });
  await expect(caughtUp(remade, 1_000_000)).rejects.toThrow(
    /^shadow has read twhin\.follow\/\d up to offset \d+, but the log holds 0 to 0: the topic was deleted and recreated.*--into NAME/,
  );
});

test('a store that read a topic with another id is refused', async () => {
  // The first pass writes down which topic it read.
  const as = (id: string) => (): Partial<EventLog> => ({ topicIds: async () => ({ 'twhin.follow': id }) });
  await caughtUp(as('A'));
  await expect(caughtUp(as('B'), 1_000_000)).rejects.toThrow(
    /^twhin\.follow was deleted and recreated: its id was A and is B.*--into NAME/,
  );
  expect(await caughtUp(as('A'))).toMatchObject({ read: 0, left: 0 });
});

test('if as many records arrive as are read, a warning names the options that help', async () => {
  let more = 2;
  const growing = (own: EventLog): Partial<EventLog> => ({
    ranges: async (topics) => {
      const ranges = await own.ranges(topics);
      // After it was asked: this pass does not read it, the next one has to.
      if (more-- > 0) await feed(SINCE);
      return ranges;
    },
  });
  const { read, left, warnings } = await caughtUp(growing);
  expect([read, left]).toEqual([3 * SINCE, 0]);
  expect(warnings).toEqual(
    Array(2).fill(
      'shadow does not come nearer: 30 records behind after a pass over 30. --max-lag 30 or more swaps now, and the updater reads the rest; interrupted, everything stays as it was',
    ),
  );
});
