import { afterEach, expect, test } from 'vitest';
import { threadTrainer } from '../../../src/adapters/trainer/thread.ts';
import { createKernel } from '../../../src/kernels/select.ts';
import { localTrainer } from '../../../src/pipeline/training/local-trainer.ts';
import type { Trainer } from '../../../src/pipeline/training/trainer.ts';
import { blocksOf, DUE, kernels, settings, World } from '../../pipeline/training/trainer-fixture.ts';
import { TFJS_FOLDER, TFJS_SKIPPED } from './installed.ts';

const CHOSEN = { ...settings, kernel: 'tfjs' } as const;
const home = process.cwd();
const open: Trainer[] = [];

afterEach(async () => {
  process.chdir(home);
  await Promise.all(open.splice(0).map((trainer) => trainer.stop()));
});

/** A trainer in a thread of a process that was started in `folder`. */
function threadIn(folder: string): Trainer {
  process.chdir(folder);
  const trainer = threadTrainer(CHOSEN);
  open.push(trainer);
  return trainer;
}

test.skipIf(TFJS_SKIPPED)('two concurrent threads give the same bytes as a local trainer', async () => {
  const local = localTrainer(CHOSEN, {
    ...kernels,
    createKernel: (name, table, model, limits) => createKernel(name, table, model, limits, [TFJS_FOLDER]),
  });
  const trainers = [local, threadIn(TFJS_FOLDER), threadIn(TFJS_FOLDER)];
  const world = new World(4);
  await Promise.all(trainers.map((trainer) => trainer.start(undefined)));
  for (let i = 0; i < 4; i++) {
    const batch = world.next();
    const options = { ...DUE, now: DUE.now + i * 5000 };
    const [expected, ...others] = await Promise.all(
      trainers.map((trainer) =>
        Promise.all([trainer.train(structuredClone(batch)), trainer.due(options), blocksOf(trainer)]),
      ),
    );
    const workMs = expect.any(Number);
    for (const other of others) expect(other).toEqual([{ ...expected![0], workMs }, ...expected!.slice(1)]);
    world.commit();
  }
});
