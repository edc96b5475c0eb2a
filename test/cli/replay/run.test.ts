import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { realWorld, type World } from '../../../src/cli/context.ts';
import type { Sink } from '../../../src/pipeline/ports.ts';
import { json, type Place, place } from '../captured.ts';

const EVENTS = 40;

/** The real world, which calls `publishing` before anything is published. */
function worldWhere(publishing: () => void): World {
  return {
    ...realWorld,
    connect: async (settings, log) => {
      const real = await realWorld.connect(settings, log);
      const sink = (): Sink & AsyncDisposable => {
        const inner = real.sink();
        return {
          publish: (messages) => {
            publishing();
            return inner.publish(messages);
          },
          takeOver: () => inner.takeOver(),
          stop: () => inner.stop(),
          [Symbol.asyncDispose]: () => inner.stop(),
        };
      };
      return { ...real, sink };
    },
  };
}

let here: Place | undefined;
afterEach(() => here?.remove());

test('a signal after the last record was read interrupts nothing: the replay finishes', async () => {
  let signals = 0;
  let replaying = false;
  here = await place(
    {},
    worldWhere(() => {
      if (replaying && signals++ === 0) process.emit('SIGINT');
    }),
  );
  await writeFile(
    join(here.folder, 'twhin.config.ts'),
    'export default { model: { dim: 8 }, limits: { maxEntities: 1000 } };',
  );
  const file = join(here.folder, 'follows.ndjson');
  const lines = Array.from({ length: EVENTS }, (_, i) => ({
    ...{ followerId: `u${i}`, followedId: `u${i + 1}`, action: 'follow', at: 1_704_067_200_000 + i },
  }));
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  await here.run('topics', 'apply');
  await here.run('feed', file, '--topic', 'follow');

  replaying = true;
  // The whole range is one commit, so nothing is published before the end of the range.
  const said = await here.run('replay', '--graph', 'follow', '--into', 'a', '--publish', 'shadow', '--json');
  expect(signals).toBeGreaterThan(0);
  expect([said.code, said.err]).toEqual([0, [expect.stringContaining('all is read')]]);
  expect(json(said)).toMatchObject({ into: 'a', events: EVENTS });
  const again = await here.run('replay', '--graph', 'follow', '--into', 'a', '--publish', 'shadow', '--json');
  expect(again.err.join()).toMatch(/a was finished at/);
});
