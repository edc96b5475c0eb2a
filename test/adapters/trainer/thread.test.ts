import { readdirSync, readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkpointFiles } from '../../../src/adapters/checkpoint-file.ts';
import { packError, unpackError } from '../../../src/adapters/threads.ts';
import { threadTrainer } from '../../../src/adapters/trainer/thread.ts';
import { BadEvent, FatalError, RetryableError, ShapeError, UsageError } from '../../../src/errors/errors.ts';
import { decodeJournal, encodeJournal, packBatch } from '../../../src/pipeline/training/batch-codec.ts';
import { localTrainer } from '../../../src/pipeline/training/local-trainer.ts';
import type { Trainer, TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { asyncOf } from '../../graph/graph-fixture.ts';
import { MemoryCheckpoints } from '../../graph/memory-checkpoints.ts';
import {
  batchOf,
  blocksOf,
  DUE,
  kernels,
  ofBatch,
  settings,
  World,
} from '../../pipeline/training/trainer-fixture.ts';

const NOW = 1_700_000_000_000;
const ROWS = Int32Array.from({ length: 15 }, (_, i) => 3 + i);
const open: Trainer[] = [];

function thread(chosen: TrainerSettings = settings): Trainer {
  const trainer = threadTrainer(chosen);
  open.push(trainer);
  return trainer;
}

/** Niceness of this process's threads, by name. */
function nicenesses(): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  for (const task of readdirSync('/proc/self/task')) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
    } catch {
      // The thread has ended.
      continue;
    }
    const [, name = '', fields = ''] = /\((.*)\) (.*)/.exec(stat)!;
    found.set(name, (found.get(name) ?? new Set()).add(Number(fields.split(' ')[16])));
  }
  return found;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.stop()));
});

describe('threadTrainer', () => {
  it.runIf(process.platform === 'linux')('leaves the cores to the main thread first', async () => {
    const own = getPriority();
    const trainer = thread({ ...settings, kernel: 'wasm', chunkEdges: 8 });
    await trainer.start(undefined);
    await trainer.train(new World(4).next());
    await trainer.state();
    expect(getPriority()).toBe(own);
    // Other tests of this process have trainers too, and some that only step. A thread that helps may run late.
    const nicer = Math.min(19, own + 5);
    const found = (name: string) => [...(nicenesses().get(name) ?? [])];
    await expect.poll(() => found('trainer')).toContain(nicer);
    await expect.poll(() => found('trainer 2')).toContain(nicer);
  });

  it.each(['reference', 'wasm'] as const)('gives the bytes of a local trainer (%s)', async (kernel) => {
    const chosen = { ...settings, kernel };
    await using folder = await mkdtempDisposable(join(tmpdir(), 'twhin-trainer-'));
    const checkpoints = checkpointFiles(folder.path, chosen.model.dim + 2);
    const world = new World(4);
    const local = localTrainer(chosen, kernels);
    let threaded = thread(chosen);
    await Promise.all([local.start(undefined), threaded.start(undefined)]);
    for (let i = 0; i < 4; i++) {
      const batch = world.next();
      // Each call has its own epsilon: 0 in the last.
      const options = { ...DUE, now: NOW + i * 5000, everything: i === 2, ...(i === 3 && { epsilon: 0 }) };
      const expected = [ofBatch(await local.train(batch)), await local.due(options)];
      // Both calls are made at once: the thread answers in the order of the calls. The batch and the spent memory move to it.
      const spent = new Float32Array(9_999);
      const before = process.cpuUsage();
      const answers = await Promise.all([threaded.train(batch), threaded.due({ ...options, spent })]);
      const { user, system } = process.cpuUsage(before);
      expect([batch.numbers.length, spent.length]).toEqual([0, 0]);
      const { workMs, ...report } = answers[0];
      expect([ofBatch(report), answers[1]]).toEqual(expected);
      // It is processor time of one thread: all threads of the process had at least that.
      expect(workMs).toBeGreaterThanOrEqual(0);
      expect(workMs).toBeLessThanOrEqual((user + system) / 1_000);
      expect(await threaded.vectors(ROWS)).toEqual(await local.vectors(ROWS));
      expect(await threaded.state()).toEqual(await local.state());
      const blocks = await blocksOf(threaded);
      expect(blocks).toEqual(await blocksOf(local));
      world.commit();
      if (i !== 1) continue;
      await threaded.stop();
      threaded = thread(chosen);
      const random = [...answers[1].random];
      await checkpoints.write({ commit: i, step: answers[1].step, random }, asyncOf(...blocks));
      await using checkpoint = await checkpoints.open(i);
      expect(await threaded.load(checkpoint)).toBe(true);
      await threaded.start(answers[1]);
    }
  });

  it('trains the batches of a journal as they were given, and publishes again what it is told to', async () => {
    const [world, local, threaded] = [new World(5), localTrainer(settings, kernels), thread()];
    await Promise.all([local.start(undefined), threaded.start(undefined)]);
    const given = [world.next(), world.next(), world.next()];
    const { batches } = decodeJournal(encodeJournal(given.map(packBatch), []));
    for (const batch of given) await local.train(batch);
    await Promise.all(batches.map((batch) => threaded.train(batch)));
    expect(await threaded.due(DUE)).toEqual(await local.due(DUE));
    const again = { step: 50, rows: ROWS };
    for (const trainer of [local, threaded]) await trainer.republish(again);
    const due = await threaded.due(DUE);
    expect(due).toEqual(await local.due(DUE));
    expect([due.step, due.rows.length]).toEqual([51, 12]);
  });

  it('brings errors back with their class, and answers further calls', async () => {
    const trainer = thread();
    await expect(trainer.train(batchOf({}))).rejects.toMatchObject({
      name: 'FatalError',
      code: 'fault',
    });
    await trainer.start(undefined);
    const held = new MemoryCheckpoints();
    await held.write({ commit: 1, step: 0, random: [] }, asyncOf());
    await expect(trainer.load(await held.open(1))).rejects.toThrow("can't load a checkpoint in memory");
    const refused = trainer.vectors(Int32Array.of(5, 6));
    await expect(refused).rejects.toBeInstanceOf(ShapeError);
    await expect(refused).rejects.toThrow('row 6 was asked for; 6 are in use');
    expect((await trainer.train(batchOf({ newTypes: [0] }))).step).toBe(0);
  });

  it('answers the calls made before stop, and refuses calls after stop', async () => {
    const trainer = thread();
    await trainer.start(undefined);
    const pending = trainer.train(new World(1).next());
    const stopping = trainer.stop();
    expect(trainer.stop()).toBe(stopping);
    await expect(trainer.due({ ...DUE, now: NOW })).rejects.toThrow('stopped');
    expect((await pending).edges).toBe(40);
    await stopping;
    await expect(trainer.train(batchOf({}))).rejects.toMatchObject({ code: 'fault' });
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
