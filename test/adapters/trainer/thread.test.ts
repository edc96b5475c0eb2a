import { afterEach, describe, expect, it } from 'vitest';
import { packError, unpackError } from '../../../src/adapters/threads.ts';
import { threadTrainer } from '../../../src/adapters/trainer/thread.ts';
import { BadEvent, FatalError, RetryableError, ShapeError, UsageError } from '../../../src/errors/errors.ts';
import { localTrainer } from '../../../src/pipeline/training/local-trainer.ts';
import type { Trainer, TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { batchOf, DUE, kernels, settings, World } from '../../pipeline/training/trainer-fixture.ts';

const NOW = 1_700_000_000_000;
const RANGE = { first: 3, count: 15 };
const open: Trainer[] = [];

function thread(chosen: TrainerSettings = settings): Trainer {
  const trainer = threadTrainer(chosen);
  open.push(trainer);
  return trainer;
}

function dying(): Trainer {
  const trainer = threadTrainer(settings, new URL('./dies.js', import.meta.url));
  open.push(trainer);
  return trainer;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.stop()));
});

describe('threadTrainer', () => {
  it.each(['reference', 'wasm'] as const)('gives the bytes of a local trainer (%s)', async (kernel) => {
    const chosen = { ...settings, kernel };
    const world = new World(4);
    const local = localTrainer(chosen, kernels);
    let threaded = thread(chosen);
    await Promise.all([local.start(undefined), threaded.start(undefined)]);
    for (let i = 0; i < 4; i++) {
      const batch = world.next();
      // Each call has its own epsilon: 0 in the last.
      const options = { ...DUE, now: NOW + i * 5000, everything: i === 2, ...(i === 3 && { epsilon: 0 }) };
      const expected = [await local.train(batch), await local.checkpoint(options)];
      // Both calls are made at once: the thread answers in the order of the calls. The batch moves to it.
      const answers = await Promise.all([threaded.train(batch), threaded.checkpoint(options)]);
      expect(batch.numbers.length).toBe(0);
      expect(answers).toEqual(expected);
      expect(await threaded.readRows(RANGE)).toEqual(await local.readRows(RANGE));
      world.write(answers[1]);
      if (i !== 1) continue;
      await threaded.stop();
      threaded = thread(chosen);
      await world.load(threaded, answers[1]);
    }
  });

  it('brings errors back with their class, and answers further calls', async () => {
    const trainer = thread();
    await expect(trainer.train(batchOf({}))).rejects.toMatchObject({
      name: 'FatalError',
      code: 'fault',
    });
    await trainer.start(undefined);
    const refused = trainer.readRows({ first: 5, count: 2 });
    await expect(refused).rejects.toBeInstanceOf(ShapeError);
    await expect(refused).rejects.toThrow('rows 5 to 7 were asked for; 6 are in use');
    expect((await trainer.train(batchOf({ newTypes: [0] }))).step).toBe(0);
  });

  it('answers the calls made before stop, and refuses calls after stop', async () => {
    const trainer = thread();
    await trainer.start(undefined);
    const pending = trainer.train(new World(1).next());
    const stopping = trainer.stop();
    expect(trainer.stop()).toBe(stopping);
    await expect(trainer.checkpoint({ ...DUE, now: NOW })).rejects.toThrow('stopped');
    expect((await pending).edges).toBe(40);
    await stopping;
    await expect(trainer.train(batchOf({}))).rejects.toMatchObject({ code: 'fault' });
  });

  it('rejects every waiting and every later call when the thread dies', async () => {
    const trainer = dying();
    await trainer.start(undefined);
    const pending = [trainer.start(undefined), trainer.train(batchOf({})), trainer.stop()];
    const [first, second, stop] = await Promise.allSettled(pending);
    for (const settled of [first!, second!]) {
      expect(settled.status === 'rejected' && settled.reason).toBeInstanceOf(FatalError);
      expect(settled.status === 'rejected' && settled.reason).toMatchObject({
        code: 'thread',
        message: expect.stringContaining('out of luck'),
      });
    }
    expect(stop!.status).toBe('fulfilled');
    await expect(trainer.train(batchOf({}))).rejects.toMatchObject({ code: 'thread' });
  });

  it('reports a missing entry', async () => {
    const trainer = threadTrainer(settings, new URL('../no-such-entry.js', import.meta.url));
    await expect(trainer.start(undefined)).rejects.toMatchObject({ code: 'thread' });
    await trainer.stop();
  });
});

describe('errors on the wire', () => {
  it.each([
    new RetryableError('stopped', 'try again'),
    new FatalError('table-full', 'stop'),
    new UsageError('wrong'),
    new BadEvent('wrong-shape', 'bad'),
    new ShapeError('3 by 4'),
  ])('keep class, code and message: $name', (error) => {
    const back = unpackError(structuredClone(packError(error, 'it failed')));
    expect(back.constructor).toBe(error.constructor);
    expect([back.name, back.code, back.message]).toEqual([error.name, error.code, error.message]);
    expect(back.stack).toBe(error.stack);
  });

  it('of other classes become FatalError', () => {
    expect(
      unpackError(packError(new RangeError('offset is out of bounds'), 'the trainer failed')),
    ).toMatchObject({
      name: 'FatalError',
      code: 'thread',
      message: 'the trainer failed: offset is out of bounds',
    });
  });
});
