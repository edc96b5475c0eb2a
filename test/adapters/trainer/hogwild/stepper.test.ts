import { afterEach, describe, expect, it } from 'vitest';
import { ThreadStepper } from '../../../../src/adapters/trainer/hogwild/stepper.ts';
import { FatalError, ShapeError } from '../../../../src/errors/errors.ts';
import { layOut, workspaceBytes } from '../../../../src/kernels/workspace.ts';
import { Table } from '../../../../src/model/table.ts';
import type { Stepper } from '../../../../src/pipeline/training/stepper.ts';
import { DEFAULTS, fill, kernelOnRandomRows, rowBytes } from '../../../kernels/fixture.ts';

const SIZE = { maxEdges: 10, maxCandidates: 13 };
const WORKER = '../../../../src/adapters/trainer/hogwild/worker.ts';
const open: Stepper[] = [];

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

function stepperOn(table: Table, entry = WORKER): Stepper {
  const stepper = new ThreadStepper({
    entry: new URL(entry, import.meta.url),
    name: 'stepper',
    table,
    kernel: { build: 'wasm-plain', model: DEFAULTS },
    size: SIZE,
    workspaces: [1, 2].map((number) => layOut(DEFAULTS.dim, SIZE, number)),
    patience: 2,
  });
  open.push(stepper);
  return stepper;
}

/** A chunk with an edge of its own for each lane. */
function beginOn(stepper: Stepper, lhs: number) {
  const lane = stepper.take()!;
  fill(lane.chunk, { edges: [[lhs, 0, lhs + 1]], rhsCandidates: [lhs + 2, lhs + 3] });
  lane.begin();
  return lane;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((stepper) => stepper.stop()));
});

describe('ThreadStepper', () => {
  it('steps on its lanes in turn as the kernel of its build does', () => {
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
      const lanes = rows.map((lhs) => beginOn(stepper, lhs));
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
  });

  it('has no lane to give while both are in work', () => {
    const stepper = stepperOn(tableOf20(), './hangs.js');
    beginOn(stepper, 2);
    beginOn(stepper, 6);
    expect(stepper.take()).toBeUndefined();
  });

  it('refuses rows that the table does not have', () => {
    expect(() => beginOn(stepperOn(tableOf20()), 19)).toThrow(ShapeError);
  });

  it.each([
    ['fails in a step', './fails.js', 'stepper-dead', 'a step failed: memory access out of bounds'],
    ['never ends one', './hangs.js', 'stepper-stuck', 'did not end a step in 2 s'],
  ])('that %s is told to who waits for it', (_, entry, code, message) => {
    const lane = beginOn(stepperOn(tableOf20(), entry), 2);
    let told: unknown;
    try {
      lane.finish();
    } catch (error) {
      told = error;
    }
    expect(told).toBeInstanceOf(FatalError);
    expect(told).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it.each([
    ['died', './dies.js', 'out of luck'],
    ['has an older kernel', './outdated.js', 'the compiled kernel has no'],
    ['ended', './exits.js', 'it exited with code 3'],
    ['is missing', './no-such-entry.js', 'no-such-entry'],
  ])('that %s is told to who takes a lane', async (_, entry, message) => {
    const stepper = stepperOn(tableOf20(), entry);
    const outcome = () => {
      try {
        return stepper.take();
      } catch (error) {
        return error;
      }
    };
    await expect
      .poll(outcome)
      .toMatchObject({ code: 'stepper-dead', message: expect.stringContaining(message) });
  });

  it('gives no lane after it was stopped', async () => {
    const stepper = stepperOn(tableOf20());
    beginOn(stepper, 2).finish();
    await stepper.stop();
    expect(() => stepper.take()).toThrow('it was stopped');
  });
});
