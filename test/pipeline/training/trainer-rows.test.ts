import { describe, expect, it, test } from 'vitest';
import { Table } from '../../../src/model/table.ts';
import { startRows, TrainerRows } from '../../../src/pipeline/training/trainer-rows.ts';
import { Random } from '../../../src/sampling/random.ts';
import { TypeRows } from '../../../src/sampling/type-rows.ts';
import { settings } from './trainer-fixture.ts';

const EPSILON = 0.5;
const MAX_AGE_MS = 60_000;
const START = 1_700_000_000_000;

/** Rows 0 and 1 are a relation's, all others entities. */
function setUp({ count = 10, maxRows = 20, maxAgeMs = MAX_AGE_MS } = {}) {
  const table = new Table({ dim: 2, maxRows, workspaceBytes: 0 });
  table.addRows(count);
  const types = new TypeRows(1, maxRows);
  for (let row = 2; row < count; row++) types.add(row, 0);
  const rows = new TrainerRows(table, types);
  const move = (row: number, drift: number) => {
    table.floats[table.at(row) + table.drift]! += drift;
    rows.touch(row);
  };
  /** What is written and what of it is published. */
  const checkpoint = (now: number, everything = false, holdMs = 0) => {
    const all = rows.checkpoint({ now, everything, epsilon: EPSILON, maxAgeMs, holdMs });
    const written = [...all.rows];
    const published = written.filter((_, i) => all.publish[i] === 1);
    return { written, published, floats: all.floats, held: all.held };
  };
  return { table, types, rows, move, checkpoint };
}

describe('TrainerRows', () => {
  it('copies changed rows ascending, with accumulator and drift, and starts over', () => {
    const { table, rows, move, checkpoint } = setUp();
    table.vector(7).set([1, 2]);
    table.floats[table.at(7) + table.accumulator] = 3;
    move(7, 0.25);
    move(0, 0.75);
    rows.touch(7);
    const { written, floats, published } = checkpoint(START);
    expect(written).toEqual([0, 7]);
    // Row 7 is published, being new: its drift is 0. A relation's row never is and keeps its own.
    expect([...floats]).toEqual([0, 0, 0, 0.75, 1, 2, 3, 0]);
    expect(published).toEqual([7]);
    table.vector(7)[0] = 9;
    expect(floats[4]).toBe(1);
    expect(checkpoint(START + 1).written).toEqual([]);
  });

  it('publishes a row that is new, then only when its drift is over epsilon', () => {
    const { move, checkpoint } = setUp();
    move(2, 0);
    expect(checkpoint(START).published).toEqual([2]);
    move(2, 0.3);
    expect(checkpoint(START + 10)).toMatchObject({ written: [2], published: [] });
    move(2, 0.2);
    expect(checkpoint(START + 20).published).toEqual([]);
    move(2, 0.25);
    expect(checkpoint(START + 30).published).toEqual([2]);
    move(2, 0.3);
    expect(checkpoint(START + 40).published).toEqual([]);
  });

  it('publishes a row that moved a little once it is old, looking at most once a second', () => {
    const { move, checkpoint } = setUp();
    for (const row of [2, 3, 4]) move(row, 0);
    checkpoint(START);
    move(2, 0.1);
    move(3, 0.1);
    checkpoint(START + MAX_AGE_MS);
    expect(checkpoint(START + MAX_AGE_MS + 999).written).toEqual([]);
    const due = checkpoint(START + MAX_AGE_MS + 1000);
    expect(due).toMatchObject({ written: [2, 3], published: [2, 3] });
    // Drift is 0 in the copy and in the table: nothing is left to publish.
    expect([due.floats[3], due.floats[7]]).toEqual([0, 0]);
    expect(checkpoint(START + 3 * MAX_AGE_MS, true).written).toEqual([]);
  });

  it('goes on looking when the clock was set back', () => {
    const { move, checkpoint } = setUp();
    move(2, 0);
    checkpoint(START);
    move(2, 0.1);
    checkpoint(START + 10 * MAX_AGE_MS);
    expect(checkpoint(START - 5000).published).toEqual([]);
    move(3, 0);
    checkpoint(START - 4000);
    move(3, 0.1);
    checkpoint(START - 3000);
    expect(checkpoint(START - 3000 + MAX_AGE_MS + 1).published).toContain(3);
  });

  it('publishes everything that moved when asked, and nothing else', () => {
    const { move, checkpoint } = setUp();
    for (const row of [2, 3, 4]) move(row, 0);
    checkpoint(START);
    move(2, 0.01);
    move(3, 0);
    checkpoint(START + 1);
    move(4, 0.01);
    expect(checkpoint(START + 2, true).published).toEqual([2, 4]);
    expect(checkpoint(START + 3, true).published).toEqual([]);
  });

  it('holds a row that was published back until it is as old as is asked for, and does not forget it', () => {
    const { move, checkpoint } = setUp();
    const [far, never] = [2, 3];
    move(far, 0);
    checkpoint(START);
    move(far, 2 * EPSILON);
    move(never, 2 * EPSILON);
    // What was never published is not held back.
    expect(checkpoint(START + 10_000, false, 20_000).published).toEqual([never]);
    expect(checkpoint(START + 19_999, false, 20_000)).toMatchObject({ published: [], held: 1 });
    const released = { written: [far], published: [far], held: 0 };
    expect(checkpoint(START + 21_000, false, 20_000)).toMatchObject(released);
    // Held no longer, at once; and by age, however long it would be held.
    move(far, 2 * EPSILON);
    expect(checkpoint(START + 22_000, false, 20_000).published).toEqual([]);
    expect(checkpoint(START + 23_000, false, 0).published).toEqual([far]);
    move(far, 2 * EPSILON);
    expect(checkpoint(START + 24_000, false, 1e9).published).toEqual([]);
    expect(checkpoint(START + 23_001 + MAX_AGE_MS, false, 1e9).published).toEqual([far]);
    // Nor is one held by a clock that was set back.
    move(far, 2 * EPSILON);
    expect(checkpoint(START - 1_000, false, 20_000).published).toEqual([far]);
  });

  describe('with more due rows than a slice holds', () => {
    const entities = 80_000;
    const slice = 32_768;

    /** Every entity was published, and moved a little since. */
    function setUpMany(maxAgeMs: number) {
      const count = entities + 2;
      const { move, checkpoint } = setUp({ count, maxRows: count, maxAgeMs });
      const moveAll = (drift: number) => {
        for (let row = 2; row < count; row++) move(row, drift);
      };
      moveAll(0);
      checkpoint(START);
      moveAll(0.1);
      expect(checkpoint(START + 1).published.length).toBe(0);
      return { move, checkpoint };
    }

    it('gives a slice at a time, beside what changed', () => {
      const { move, checkpoint } = setUpMany(MAX_AGE_MS);
      const late = START + 2 * MAX_AGE_MS;
      for (let row = 2; row < 40_002; row++) move(row, 0);
      const { written, published } = checkpoint(late);
      expect(written).toHaveLength(40_000 + slice);
      expect(published).toHaveLength(written.length);
      expect(checkpoint(late + 1000).published.length).toBe(entities - 40_000 - slice);
      expect(checkpoint(late + 2000).published.length).toBe(0);
    });

    it('gives everything when asked again and again', () => {
      const { checkpoint } = setUpMany(MAX_AGE_MS);
      const sizes = [2, 3, 4, 5].map((ms) => checkpoint(START + ms, true).published.length);
      expect(sizes).toEqual([slice, slice, entities - 2 * slice, 0]);
    });

    it('lets the last rows have their turn though the first are due again', () => {
      const { move, checkpoint } = setUpMany(1500);
      const seen = new Set<number>();
      for (let second = 2; second < 6; second++) {
        const { published } = checkpoint(START + second * 1000);
        for (const row of published) {
          seen.add(row);
          move(row, 0.1);
        }
        checkpoint(START + second * 1000 + 10);
      }
      expect(seen.size).toBe(entities);
    });
  });

  it('writes a dropped row as zeros and never publishes it', () => {
    const { table, types, rows, move, checkpoint } = setUp();
    table.vector(5).set([1, 2]);
    rows.trained[5] = 1;
    move(5, 0.9);
    types.drop(Int32Array.of(5));
    rows.clear(5);
    const { written, published, floats } = checkpoint(START, true);
    expect([written, published, [...floats]]).toEqual([[5], [], [0, 0, 0, 0]]);
    expect(rows.trained[5]).toBe(0);
  });

  it('counts a loaded row as published at the first checkpoint', () => {
    const { table, types, rows, move, checkpoint } = setUp();
    const first = table.addRows(2);
    for (const row of [first, first + 1]) types.add(row, 0);
    const floats = Float32Array.of(1, 2, 3, 0.25, 4, 5, 6, 0);
    rows.load(first, { types: Uint8Array.of(0, 0), trained: Uint8Array.of(1, 0), floats });
    expect([...table.vector(first + 1)]).toEqual([4, 5]);
    expect(table.floats[table.at(first) + table.accumulator]).toBe(3);
    expect(rows.read(first, 2)).toEqual(floats);
    expect(() => rows.read(first, 3)).toThrow(
      `rows ${first} to ${first + 3} were asked for; ${first + 2} are in use`,
    );
    expect([...rows.trained.subarray(first, first + 2)]).toEqual([1, 0]);
    move(3, 0);
    expect(checkpoint(START)).toMatchObject({ written: [3], published: [3] });
    expect(checkpoint(START + MAX_AGE_MS).written).toEqual([]);
    expect(checkpoint(START + MAX_AGE_MS + 1000).published).toEqual([first]);
  });

  it('refuses loaded arrays that disagree', () => {
    const { table, rows } = setUp();
    const first = table.addRows(1);
    expect(() =>
      rows.load(first, { types: Uint8Array.of(0), trained: Uint8Array.of(0), floats: new Float32Array(3) }),
    ).toThrow('1 rows with 1 trained flags and 3 floats; expected 1 and 4');
  });
});

/** The vectors of rows 10 and 11, which are started, and of row 12, which is not. */
function started(initScale: number, unitBall: boolean): Float32Array[] {
  const table = new Table({ dim: 2, maxRows: 50, workspaceBytes: 0 });
  table.addRows(20);
  const model = { ...settings.model, dim: 2, unitBall };
  startRows(Int32Array.of(10, 11), table, { initScale, model }, Random.seeded(1));
  return [10, 11, 12].map((row) => table.vector(row));
}

test('rows start at random within the scale, drawn in the order of rows', () => {
  const random = Random.seeded(1);
  const drawn = () => Float32Array.of(random.uniform() - 0.5, random.uniform() - 0.5);
  expect(started(0.5, true)).toEqual([drawn(), drawn(), new Float32Array(2)]);
});

test('starts are scaled into the unit ball when the settings say so', () => {
  const [free] = started(30, false);
  const [bound] = started(30, true);
  const length = Math.hypot(free![0]!, free![1]!);
  expect(length).toBeGreaterThan(1);
  expect([...bound!]).toEqual([expect.closeTo(free![0]! / length, 6), expect.closeTo(free![1]! / length, 6)]);
});
