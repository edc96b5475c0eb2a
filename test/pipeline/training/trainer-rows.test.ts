import { describe, expect, it, test } from 'vitest';
import { NO_TYPE } from '../../../src/graph/checkpoint.ts';
import { Table } from '../../../src/model/table.ts';
import { Snapshot } from '../../../src/pipeline/training/snapshot.ts';
import { startRows, TrainerRows } from '../../../src/pipeline/training/trainer-rows.ts';
import { KnownPositives } from '../../../src/sampling/known-positives.ts';
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
  const move = (row: number, drift: number, isMet = true) => {
    table.floats[table.at(row) + table.drift]! += drift;
    rows.touch(row);
    if (isMet) rows.meet(row);
  };
  /** Where vectors go that fit. */
  const spent = new Float32Array(3);
  const due = (now: number, everything = false, holdMs = 0, named: readonly number[] = []) =>
    rows.due({ now, everything, epsilon: EPSILON, maxAgeMs, holdMs, named: Int32Array.from(named), spent });
  /** The rows that are due. */
  const dueRows = (...options: Parameters<typeof due>) => [...due(...options).rows];
  return { table, types, rows, move, due, dueRows, spent };
}

describe('TrainerRows', () => {
  it('gives the rows that are due ascending, with vectors of their own, and starts over', () => {
    const { table, rows, move, due, dueRows, spent } = setUp();
    table.vector(7).set([1, 2]);
    table.vector(3).set([3, 4]);
    move(7, 0.25);
    move(0, 0.75);
    move(3, 0);
    rows.touch(7);
    const { rows: first, vectors, moved } = due(START);
    // A relation's row never is.
    expect([...first]).toEqual([3, 7]);
    expect([...vectors]).toEqual([3, 4, 1, 2]);
    expect([...moved]).toEqual([Number.NaN, Number.NaN]);
    table.vector(7)[0] = 9;
    expect(vectors[2]).toBe(1);
    // The drift of what is published starts again; a relation's row keeps its own.
    expect([0, 3, 7].map((row) => table.floats[table.at(row) + table.drift])).toEqual([0.75, 0, 0]);
    expect(dueRows(START + 1)).toEqual([]);
    move(7, 0.75);
    expect([...due(START + 2).moved]).toEqual([0.75]);
    expect([...vectors, ...spent]).toEqual([3, 4, 1, 2, 9, 2, 0]);
  });

  it('gives none where nothing is published; a snapshot then has each row as it was', () => {
    const { table, rows, move } = setUp({ count: 4, maxRows: 4 });
    const nowhere = {
      epsilon: Number.POSITIVE_INFINITY,
      maxAgeMs: 0,
      now: START,
      everything: true,
      holdMs: 0,
    };
    const known = new KnownPositives({ maxRows: 4, maxEdges: 1 });
    move(3, 0.75);
    expect([...rows.due({ ...nowhere, named: Int32Array.of(2) }).rows]).toEqual([]);
    rows.snapshot = new Snapshot({ rows: 4, width: 4, blockRows: 4, known, copy: rows.copy.bind(rows) });
    rows.touch(3);
    table.vector(3).fill(9);
    const { floats } = rows.snapshot.take()!;
    // It was never published.
    expect([...floats.subarray(12)]).toEqual([0, 0, 0, Number.POSITIVE_INFINITY]);
  });

  it('gives a row that moved a little once it is old, looking at most once a second', () => {
    const { table, move, dueRows } = setUp();
    for (const row of [2, 3, 4]) move(row, 0);
    dueRows(START);
    move(2, 0.1);
    move(3, 0.1);
    dueRows(START + MAX_AGE_MS);
    expect(dueRows(START + MAX_AGE_MS + 999)).toEqual([]);
    expect(dueRows(START + MAX_AGE_MS + 1000)).toEqual([2, 3]);
    // Nothing is left to publish.
    expect([2, 3].map((row) => table.floats[table.at(row) + table.drift])).toEqual([0, 0]);
    expect(dueRows(START + 3 * MAX_AGE_MS, true)).toEqual([]);
  });

  it('goes on looking when the clock was set back', () => {
    const { move, dueRows } = setUp();
    move(2, 0);
    dueRows(START);
    move(2, 0.1);
    dueRows(START + 10 * MAX_AGE_MS);
    expect(dueRows(START - 5000)).toEqual([]);
    move(3, 0);
    dueRows(START - 4000);
    move(3, 0.1);
    dueRows(START - 3000);
    expect(dueRows(START - 3000 + MAX_AGE_MS + 1)).toContain(3);
    // Nor is a row held back by such a clock.
    move(3, 2 * EPSILON);
    expect(dueRows(START - 4000, false, 20_000)).toEqual([3]);
  });

  describe('with more due rows than a slice holds', () => {
    const entities = 80_000;
    const slice = 32_768;
    const aged = 8_192;

    /** Every entity was published, and moved a little since. */
    function setUpMany(maxAgeMs: number) {
      const count = entities + 2;
      const { move, dueRows } = setUp({ count, maxRows: count, maxAgeMs });
      const moveAll = (drift: number) => {
        for (let row = 2; row < count; row++) move(row, drift);
      };
      moveAll(0);
      dueRows(START);
      moveAll(0.1);
      expect(dueRows(START + 1)).toHaveLength(0);
      return { move, dueRows };
    }

    it('gives so many that moved a little a second, each in its turn, beside what is new or moved far', () => {
      const { move, dueRows } = setUpMany(MAX_AGE_MS);
      const late = START + 2 * MAX_AGE_MS;
      for (let row = 2; row < 40_002; row++) move(row, 0);
      for (let row = 80_001; row > 70_001; row--) move(row, 2 * EPSILON);
      const seen = dueRows(late);
      expect(seen).toHaveLength(10_000 + aged);
      expect(dueRows(late + 100)).toEqual([]);
      for (let second = 1; seen.length < entities; second++) {
        const given = dueRows(late + 1000 * second);
        expect(given).toHaveLength(Math.min(aged, entities - seen.length));
        seen.push(...given);
      }
      expect(new Set(seen).size).toBe(entities);
      expect(dueRows(late + 20_000)).toEqual([]);
    });

    it('gives what was held back at once, whatever else is old', () => {
      const { move, dueRows } = setUpMany(MAX_AGE_MS);
      for (let row = 60_002; row < 80_002; row++) move(row, 2 * EPSILON);
      expect(dueRows(START + 2_000, false, 1e9)).toEqual([]);
      const given = dueRows(START + MAX_AGE_MS + 1);
      expect(given.filter((row) => row >= 60_002)).toHaveLength(20_000);
      expect(given).toHaveLength(20_000 + aged);
    });

    it('gives everything when asked again and again', () => {
      const { dueRows } = setUpMany(MAX_AGE_MS);
      const sizes = [2, 3, 4, 5].map((ms) => dueRows(START + ms, true).length);
      expect(sizes).toEqual([slice, slice, entities - 2 * slice, 0]);
    });

    it('lets the last rows have their turn though the first are due again', () => {
      const { move, dueRows } = setUpMany(1500);
      const seen = new Set<number>();
      for (let second = 2; second < 14; second++) {
        for (const row of dueRows(START + second * 1000)) {
          seen.add(row);
          move(row, 0.1);
        }
        dueRows(START + second * 1000 + 10);
      }
      expect(seen.size).toBe(entities);
    });
  });

  it('counts a loaded row as published when it is first asked, unless the checkpoint says it never was', () => {
    const { table, types, rows, move, due, dueRows } = setUp();
    const first = table.addRows(3);
    for (let row = first; row < first + 3; row++) types.add(row, 0);
    const floats = Float32Array.of(1, 2, 3, 0.25, 4, 5, 6, 0, 7, 8, 9, Number.POSITIVE_INFINITY);
    rows.load(first, { types: Uint8Array.of(0, 0, 0), trained: Uint8Array.of(1, 0, 1), floats });
    expect([...table.vector(first + 1)]).toEqual([4, 5]);
    expect(table.floats[table.at(first) + table.accumulator]).toBe(3);
    expect([...rows.trained.subarray(first, first + 3)]).toEqual([1, 0, 1]);
    const copy = { types: new Uint8Array(3), trained: new Uint8Array(3), floats: new Float32Array(12) };
    for (let i = 0; i < 3; i++) rows.copy(first + i, copy, i);
    expect(copy).toEqual({ types: Uint8Array.of(0, 0, 0), trained: Uint8Array.of(1, 0, 1), floats });
    move(3, 0);
    const { rows: begin, moved } = due(START);
    expect([[...begin], [...moved]]).toEqual([
      [3, first + 2],
      [Number.NaN, Number.NaN],
    ]);
    expect(dueRows(START + MAX_AGE_MS)).toEqual([]);
    expect(dueRows(START + MAX_AGE_MS + 1000)).toEqual([first]);
  });
});

/** What is said of a row by the rules alone, each row looked at each time. */
interface Told {
  drift: number;
  /** undefined: never. */
  published: number | undefined;
  /** An end of a new edge, or not, since the last `due`; undefined: it was not touched. */
  met: boolean | undefined;
  /** As of the last `due`. */
  was: 'still' | 'moved' | 'away' | 'far';
}

test('gives the rows that the rules say, whatever moves, is new, is named or is held back, and whenever', () => {
  // More than two words of bits, and a few beyond.
  const count = 70;
  const { types, rows, move, due } = setUp({ count, maxRows: count });
  const told = Array.from(
    { length: count },
    (): Told => ({ drift: 0, published: undefined, met: false, was: 'still' }),
  );
  for (let row = 0; row < count; row++) rows.clear(row);
  const random = Random.seeded(5);
  let now = START;
  const outcomes = new Set<string>();
  for (let turn = 0; turn < 1_500; turn++) {
    for (let n = random.below(40); n > 0; n--) {
      const row = random.below(count);
      const of = told[row]!;
      if (random.below(12) === 0) {
        rows.clear(row);
        told[row] = { drift: 0, published: undefined, met: of.met ?? false, was: 'still' };
      } else {
        const [by, isMet] = [random.below(5) / 4, random.below(3) === 0];
        move(row, by, isMet);
        of.drift += by;
        of.met = isMet || (of.met ?? false);
      }
    }
    now += 1_000 + random.below(random.below(4) === 0 ? 90_000 : 9_000);
    const everything = random.below(25) === 0;
    const holdMs = [0, 0, 30_000, 150_000][random.below(4)]!;
    const named = Array.from({ length: random.below(10) === 0 ? 3 : 0 }, () => random.below(count));
    for (const row of named)
      Object.assign(told[row]!, { published: undefined, met: told[row]!.met ?? false });
    const expected: number[] = [];
    for (const [row, of] of told.entries()) {
      const { drift, published, was } = of;
      const isEntity = types.typeOf(row) !== NO_TYPE;
      const age = now - (published ?? 0);
      const isOld = (was !== 'still' || of.met === true) && age > Math.max(MAX_AGE_MS, holdMs);
      const isFree = (was === 'far' && age >= holdMs) || (was === 'away' && holdMs === 0);
      // Others are not looked at.
      if (of.met === undefined && !(was !== 'still' && (everything || isOld || isFree))) continue;
      const isMet = of.met === true || was === 'far';
      const isFar = drift > (isMet ? 1 : 4) * EPSILON;
      const far = isMet || holdMs === 0 ? 'far' : 'away';
      const isGiven =
        drift > 0 && (everything || (isFar && far === 'far' ? age >= holdMs : isOld && was !== 'far'));
      if (isEntity && (published === undefined || isGiven)) {
        outcomes.add(`${published === undefined ? 'new' : isFar ? far : 'old'} ${holdMs} ${everything}`);
        expected.push(row);
        Object.assign(of, { drift: 0, published: now, was: 'still' });
      } else of.was = !isEntity || drift === 0 ? 'still' : isFar ? far : 'moved';
      of.met = undefined;
    }
    const given = due(now, everything, holdMs, named);
    expect([turn, [...given.rows]]).toEqual([turn, expected]);
    expect(given.held).toBe(told.filter(({ was }) => was === 'far' || was === 'away').length);
  }
  // new, far, away and old; with each time that is held; everything or not.
  expect(outcomes.size).toBeGreaterThan(15);
});

/** The vectors of rows 10 and 11, which are started, and of row 12, which is not. */
function started(initScale: number, unitBall: boolean): Float32Array[] {
  const table = new Table({ dim: 2, maxRows: 50, workspaceBytes: 0 });
  table.addRows(20);
  const model = { ...settings.model, dim: 2, unitBall };
  startRows(Int32Array.of(10, 11), table, { initScale, model }, Random.seeded(1));
  return [10, 11, 12].map((row) => table.vector(row));
}

test('rows start at random within the scale, drawn in the order of rows, and in the unit ball when the settings say so', () => {
  const random = Random.seeded(1);
  const drawn = () => Float32Array.of(random.uniform() - 0.5, random.uniform() - 0.5);
  expect(started(0.5, true)).toEqual([drawn(), drawn(), new Float32Array(2)]);
  const [free] = started(30, false);
  const [bound] = started(30, true);
  const length = Math.hypot(free![0]!, free![1]!);
  expect(length).toBeGreaterThan(1);
  expect([...bound!]).toEqual([expect.closeTo(free![0]! / length, 6), expect.closeTo(free![1]! / length, 6)]);
});
