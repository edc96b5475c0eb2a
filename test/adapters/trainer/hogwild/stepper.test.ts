import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startSteppers, ThreadStepper } from '../../../../src/adapters/trainer/hogwild/stepper.ts';
import { threadTrainer } from '../../../../src/adapters/trainer/thread.ts';
import { FatalError, ShapeError, UsageError } from '../../../../src/errors/errors.ts';
import { layOutLanes, workspaceBytes } from '../../../../src/kernels/workspace.ts';
import { Table } from '../../../../src/model/table.ts';
import { localTrainer } from '../../../../src/pipeline/training/local-trainer.ts';
import type { Stepper } from '../../../../src/pipeline/training/stepper.ts';
import type { Trainer, TrainerSettings, TrainReport } from '../../../../src/pipeline/training/trainer.ts';
import { Random } from '../../../../src/sampling/random.ts';
import { DEFAULTS, fill, kernelOnRandomRows, rowBytes } from '../../../kernels/fixture.ts';
import {
  batchOf,
  blocksOf,
  DUE,
  kernels,
  ofBatch,
  settings,
  World,
} from '../../../pipeline/training/trainer-fixture.ts';

const SIZE = { maxEdges: 10, maxCandidates: 13 };
const WORKER = '../../../../src/adapters/trainer/hogwild/worker.ts';
const stopped: (Stepper | Trainer)[] = [];

/** Rows 2 … 19 are entities; one relation. */
function tableOf20(): Table {
  const table = new Table({
    dim: DEFAULTS.dim,
    maxRows: 20,
    workspaceBytes: workspaceBytes(DEFAULTS, SIZE.maxEdges, SIZE.maxCandidates, 2),
  });
  table.addRows(20);
  return table;
}

function stepperOn(table: Table, entry = WORKER, stepLimitS = 60): ThreadStepper {
  const own = layOutLanes(DEFAULTS.dim, SIZE, 1);
  const stepper = new ThreadStepper({
    entry: new URL(entry, import.meta.url),
    name: 'stepper',
    table,
    kernel: { name: 'wasm-plain', model: DEFAULTS },
    size: SIZE,
    ...own,
    lanes: own.lanes.slice(0, 2),
    stepLimitS,
  });
  stopped.push(stepper);
  return stepper;
}

/** A lane, as soon as the stepper has one. */
async function laneOf(stepper: Stepper) {
  for (;;) {
    const lane = stepper.take();
    if (lane !== undefined) return lane;
    await setImmediate();
  }
}

/** Begins a chunk with an edge of its own. */
async function beginOn(stepper: Stepper, lhs: number) {
  const lane = await laneOf(stepper);
  fill(lane.chunk, { edges: [[lhs, 0, lhs + 1]], rhsCandidates: [lhs + 2, lhs + 3] });
  lane.begin();
  return lane;
}

afterEach(async () => {
  await Promise.all(stopped.splice(0).map((each) => each.stop()));
});

describe('ThreadStepper', () => {
  it('steps on its lanes in turn with the results of the kernel of the same build', async () => {
    const { table: expected, kernel } = kernelOnRandomRows('wasm-plain', DEFAULTS, { rows: 20 });
    const table = tableOf20();
    for (let row = 0; row < 20; row++) table.vector(row).set(expected.vector(row));
    const stepper = stepperOn(table);
    for (const rows of [
      [2, 6],
      [10, 3],
      [5, 12],
    ]) {
      // Both lanes are taken before the first is done.
      const lanes = [await beginOn(stepper, rows[0]!), await beginOn(stepper, rows[1]!)];
      lanes.forEach((lane, i) => {
        fill(kernel.chunk, {
          edges: [[rows[i]!, 0, rows[i]! + 1]],
          rhsCandidates: [rows[i]! + 2, rows[i]! + 3],
        });
        kernel.step();
        lane.finish();
        expect(lane.losses[0]).toBe(kernel.losses[0]);
      });
      expect(rowBytes(table)).toEqual(rowBytes(expected));
    }
    expect(stepper.cpuMs[0]).toBeGreaterThan(0);
  });

  it('has the caller compute a side while it waits, and does so itself where nobody waits', async () => {
    const { table: expected, kernel } = kernelOnRandomRows('wasm-plain', DEFAULTS, { rows: 20 });
    const table = tableOf20();
    for (let row = 0; row < 20; row++) table.vector(row).set(expected.vector(row));
    const stepper = stepperOn(table);
    const { helping } = layOutLanes(DEFAULTS.dim, SIZE, 1);
    const mark = new Float32Array(table.memory.buffer, helping.anchors, 1);
    const edges = Array.from({ length: 10 }, (_, i) => [2 + i, 0, 5 + i] as const);
    const content = { edges, lhsCandidates: [3, 9, 17], rhsCandidates: [4, 8] };
    const steps = { together: 0, alone: 0 };
    for (let i = 0; steps.together === 0 || steps.alone === 0; i++) {
      mark[0] = Number.NaN;
      const lane = await laneOf(stepper);
      fill(kernel.chunk, content);
      fill(lane.chunk, content);
      kernel.step();
      lane.begin();
      if (i % 2 === 0) await expect.poll(() => rowBytes(table)).toEqual(rowBytes(expected));
      lane.finish();
      expect(rowBytes(table)).toEqual(rowBytes(expected));
      expect(lane.losses).toEqual(kernel.losses);
      steps[Number.isNaN(mark[0]) ? 'alone' : 'together']++;
    }
  });

  it('has no free lane before it starts, nor while both lanes are in a step', async () => {
    const stepper = stepperOn(tableOf20(), './hangs.js');
    expect(stepper.take()).toBeUndefined();
    await beginOn(stepper, 2);
    await beginOn(stepper, 6);
    expect(stepper.take()).toBeUndefined();
  });

  it('refuses rows that the table does not have', async () => {
    await expect(beginOn(stepperOn(tableOf20()), 19)).rejects.toThrow(ShapeError);
  });

  it.each([
    ['fails in a step', './fails.js', 60, 'thread', 'a step failed: memory access out of bounds'],
    ['never ends a step', './hangs.js', 2, 'thread', 'did not end a step in 2 s'],
  ])(
    'whose thread %s throws to the caller that waits for the step',
    async (_, entry, limitS, code, message) => {
      const lane = await beginOn(stepperOn(tableOf20(), entry, limitS), 2);
      let told: unknown;
      try {
        lane.finish();
      } catch (error) {
        told = error;
      }
      expect(told).toBeInstanceOf(FatalError);
      expect(told).toMatchObject({ code, message: expect.stringContaining(message) });
    },
  );

  it.each([
    ['died', './dies.js', 'out of luck'],
    ['has an older kernel', './outdated.js', 'the compiled kernel has no'],
    ['exited', './exits.js', 'it exited with code 3'],
    ['is missing', './no-such-entry.js', 'no-such-entry'],
  ])('whose thread %s throws to the caller that takes a lane', async (_, entry, message) => {
    const stepper = stepperOn(tableOf20(), entry);
    const outcome = () => {
      try {
        return stepper.take();
      } catch (error) {
        return error;
      }
    };
    await expect.poll(outcome).toMatchObject({ code: 'thread', message: expect.stringContaining(message) });
  });

  it('has no lane after stop', async () => {
    const stepper = stepperOn(tableOf20());
    (await beginOn(stepper, 2)).finish();
    await stepper.stop();
    expect(() => stepper.take()).toThrow('it was stopped');
  });
});

const NOW = 1_700_000_000_000;

function edgesIn({ edgesByRelation }: TrainReport): number {
  return edgesByRelation.reduce((sum, edges) => sum + edges, 0);
}

async function started(overrides: Partial<TrainerSettings>): Promise<Trainer> {
  const trainer = localTrainer({ ...settings, kernel: 'wasm', ...overrides }, kernels);
  stopped.push(trainer);
  await trainer.start(undefined);
  return trainer;
}

describe('several threads on one table', () => {
  /** Six relations, each between two types of its own: a batch is six chunks that share no row. */
  const apart: Partial<TrainerSettings> = {
    entityTypes: Array.from({ length: 12 }, (_, type) => `t${type}`),
    relations: Array.from({ length: 6 }, (_, r) => ({ name: `r${r}`, lhsType: 2 * r, rhsType: 2 * r + 1 })),
    // A chunk's candidates are its own entities.
    uniformNegatives: 0,
    maxRows: 20_000,
  };

  it.each([
    ['', {}],
    [', while the rate decays', { decaySteps: 60 }],
    [', with corrected negatives', { correctNegatives: true }],
  ])(
    'give the bytes of one thread where chunks share no row, in rows added after the start too%s',
    async (_, more) => {
      const one = await started({ ...apart, ...more, threads: 1 });
      const three = await started({ ...apart, ...more, threads: 3 });
      const random = Random.seeded(3);
      for (let i = 0; i < 15; i++) {
        // 60 entities of each type a batch: row 12 + 12 n + t is of type t. 15 batches are half a MiB.
        const newest = 60 * i;
        const batch = batchOf({
          newTypes: Array.from({ length: 720 }, (_, row) => row % 12),
          edges: Array.from({ length: 48 }, (_, edge) => {
            const r = edge % 6;
            const [n, m] = [newest + random.below(60), random.below(newest + 60)];
            return [12 + 12 * n + 2 * r, r, 12 + 12 * m + 2 * r + 1];
          }),
        });
        expect(ofBatch(await three.train(batch))).toEqual(ofBatch(await one.train(batch)));
        const options = { ...DUE, now: NOW + i };
        expect(await three.due(options)).toEqual(await one.due(options));
      }
    },
  );

  it.each([
    ['', settings.evaluatedEdges],
    [', in batches to come too', 0],
  ])(
    'give the bytes of one thread that steps itself, where one steps and the other fills chunks ahead%s',
    async (_, evaluatedEdges) => {
      const take = vi.spyOn(ThreadStepper.prototype, 'take');
      const taken = () => take.mock.results.filter(({ value }) => value !== undefined).length;
      const more = { maxRows: 20_000, updatesPerEdge: 4, correctNegatives: true, evaluatedEdges };
      const chosen = { ...settings, ...more, kernel: 'wasm' as const };
      const ahead = localTrainer(chosen, kernels);
      const alone = localTrainer(chosen, { ...kernels, startSteppers: () => [] });
      stopped.push(ahead);
      for (const trainer of [ahead, alone]) await trainer.start(undefined);
      const world = new World(6);
      const trained = [0, 0];
      // At first there is no thread yet. A block is taken a batch later, with its rows as they were.
      for (let i = 0; taken() < 200; i++) {
        const batch = world.next(i % 3 > 0);
        const reports = [await ahead.train(batch), await alone.train(batch)];
        expect(ofBatch(reports[0]!)).toEqual(ofBatch(reports[1]!));
        for (const [of, report] of reports.entries()) trained[of]! += edgesIn(report);
        world.commit();
        if (i % 4 === 2) for (const trainer of [ahead, alone]) await trainer.snapshot();
        // Steps of the batch before are under way while a batch begins.
        if (i % 4 > 1) continue;
        const options = { ...DUE, now: NOW + i };
        expect(await ahead.due(options)).toEqual(await alone.due(options));
        expect(await ahead.slice()).toEqual(await alone.slice());
        if (taken() === 0) await setTimeout(5);
      }
      await ahead.state();
      trained[0]! += edgesIn(await ahead.train(batchOf({})));
      expect(trained[0]).toBe(trained[1]);
      take.mockRestore();
    },
  );

  it('leave every row finite and in the unit ball where all threads share all rows', async () => {
    // Twins that follow each other: with a dot product, nothing else keeps them from growing.
    const trainer = await started({
      threads: 3,
      model: { ...settings.model, scorer: 'twhin', loss: 'logistic', beta: 1, learningRate: 0.5 },
    });
    const random = Random.seeded(5);
    let [trained, loss] = [0, 0];
    await trainer.train(batchOf({ newTypes: new Array(20).fill(0) }));
    for (let i = 0; i < 20; i++) {
      const edges = Array.from({ length: 256 }, () => {
        const user = random.below(20);
        return [6 + user, 0, 6 + (user ^ 1)] as const;
      });
      const report = await trainer.train(batchOf({ edges, added: [] }));
      trained += report.edgesByRelation[0]!;
      loss += report.loss[0]!;
    }
    await trainer.state();
    trained += edgesIn(await trainer.train(batchOf({})));
    expect(trained).toBe(20 * 256);
    expect(loss).toBeGreaterThan(0);
    const { dim } = settings.model;
    const [block] = await blocksOf(trainer);
    const { types, floats } = block!;
    expect(types).toHaveLength(26);
    for (let row = 0; row < types.length; row++) {
      const vector = floats.subarray(row * (dim + 2), row * (dim + 2) + dim);
      expect(vector.every(Number.isFinite)).toBe(true);
      // Relation 0 alone was trained.
      if (row > 1 && row < 6) continue;
      // Halves of two moves may make a row a trace too long, until it moves again.
      if (row >= 6) expect(Math.hypot(...vector)).toBeLessThan(1.05);
      expect(floats[row * (dim + 2) + dim]).toBeGreaterThan(0);
    }
  });

  /** Mean reciprocal rank of held-back edges after two passes over the others. Each user likes the tweets of one kind in five. */
  async function reciprocalRank(threads: number, seed: number): Promise<number> {
    const trainer = await started({
      threads,
      seed,
      updatesPerEdge: 4,
      chunkEdges: 16,
      evaluatedEdges: 500,
      evaluatedCandidates: 60,
    });
    const random = Random.seeded(seed);
    const shown: [number, number, number][] = [];
    const keptBack: [number, number, number][] = [];
    for (let pair = 0; pair < 3_600; pair++) {
      // 2,627 and 3,600 have no common factor: every pair once, in an order that mixes users.
      const at = (pair * 2_627) % 3_600;
      const [user, tweet] = [6 + Math.floor(at / 60), 66 + (at % 60)];
      if (user % 5 === tweet % 5) (random.below(2) === 0 ? keptBack : shown).push([user, 1, tweet]);
    }
    await trainer.train(batchOf({ newTypes: Array.from({ length: 120 }, (_, i) => (i < 60 ? 0 : 1)) }));
    for (let i = 0; i < 2 * shown.length; i += 96) {
      const from = i % shown.length;
      const edges = shown.slice(from, from + 96);
      await trainer.train(batchOf({ edges, added: i < shown.length ? edges : [] }));
    }
    const { known } = await trainer.train(batchOf({ edges: keptBack }));
    return known[1]!.reciprocal / known[1]!.count;
  }

  it('learn as well as one thread', async () => {
    const mean = async (threads: number) => {
      let sum = 0;
      for (let seed = 1; seed <= 4; seed++) sum += await reciprocalRank(threads, seed);
      return sum / 4;
    };
    const [one, two] = [await mean(1), await mean(2)];
    // Chance is .08; means of four seeds differ by about .01.
    expect(one).toBeGreaterThan(0.3);
    expect(Math.abs(two - one)).toBeLessThan(0.04);
  });

  it('are refused for the reference kernel, and where the table has too little room', async () => {
    await expect(started({ kernel: 'reference', threads: 2 })).rejects.toThrow(UsageError);
    const size = { maxEdges: 8, maxCandidates: 13 };
    const workspaceBytes = kernels.workspaceBytes(settings.model, 8, 13, 1);
    const table = new Table({ dim: settings.model.dim, maxRows: 10, workspaceBytes });
    const start = () => startSteppers('wasm-plain', table, settings.model, { ...size, threads: 9 });
    expect(start).toThrow(FatalError);
    expect(start).toThrow(/needs \d+ bytes below the table's rows/);
  });
});

describe.runIf(process.platform === 'linux')('a trainer thread with steppers', () => {
  const threads = () =>
    readdirSync('/proc/self/task')
      .map((task) => readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim())
      .filter((name) => name.startsWith('trainer'))
      .sort();

  it('ends the steppers when the trainer is stopped', async () => {
    const trainer = threadTrainer({ ...settings, kernel: 'wasm', threads: 3 });
    await trainer.start(undefined);
    const world = new World(2);
    for (let i = 0; i < 3; i++) expect((await trainer.train(world.next())).edges).toBe(40);
    // A thread has its starter's name until it runs first.
    await expect.poll(threads).toEqual(['trainer', 'trainer 2', 'trainer 3']);
    await trainer.stop();
    expect(threads()).toEqual([]);
  });
});
