import { describe, expect, it } from 'vitest';
import { Table } from '../../../src/model/table.ts';
import type { TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { Initialiser } from '../../../src/pipeline/training/trainer-init.ts';
import { Random } from '../../../src/sampling/random.ts';
import { settings, triples } from './trainer-fixture.ts';

const DIM = 2;
// The noise is ± half of this: small, so that the mean shows.
const SCALE = 0.002;

/** Likes has rows 2 (forward, [.3, 0]) and 3 (reverse, [-.1, 0]): δ = [.2, 0]. Row 6 is [.1, .2], row 7 [.3, .6]. */
function setUp(overrides: Partial<TrainerSettings>, random = Random.seeded(1)) {
  const table = new Table({ dim: DIM, maxRows: 50, workspaceBytes: 0 });
  table.addRows(20);
  table.vector(2).set([0.3, 0]);
  table.vector(3).set([-0.1, 0]);
  table.vector(6).set([0.1, 0.2]);
  table.vector(7).set([0.3, 0.6]);
  const initialiser = new Initialiser(
    table,
    {
      ...settings,
      model: { ...settings.model, dim: DIM },
      init: 'neighbours',
      initScale: SCALE,
      ...overrides,
    },
    random,
  );
  return { table, initialiser };
}

function near(actual: Float32Array, expected: number[], within = SCALE / 2 + 1e-6): void {
  expected.forEach((value, k) => {
    expect(Math.abs(actual[k]! - value)).toBeLessThanOrEqual(within);
  });
}

describe('Initialiser', () => {
  it('starts at random within the scale, and draws in the order of rows', () => {
    const { table, initialiser } = setUp({ init: 'random', initScale: 0.5 });
    initialiser.start(Int32Array.of(10, 11), triples([[6, 1, 10]]));
    const expected = Random.seeded(1);
    for (const row of [10, 11]) {
      near(table.vector(row), [expected.uniform() - 0.5, expected.uniform() - 0.5], 1e-7);
    }
    expect([...table.vector(12)]).toEqual([0, 0]);
  });

  it('starts at the mean of where its known neighbours put it, on either side, with noise', () => {
    const { table, initialiser } = setUp({});
    initialiser.start(
      Int32Array.of(10, 11, 12),
      triples([
        [6, 1, 10],
        [7, 1, 10],
        [11, 1, 7],
        [6, 1, 12],
        [12, 1, 7],
        [6, 1, 7],
      ]),
    );
    // 10 is rhs: mean of row + δ. 11 is lhs: row - δ. 12 is both: mean of row 6 + δ and row 7 - δ.
    near(table.vector(10), [0.4, 0.4]);
    near(table.vector(11), [0.1, 0.6]);
    near(table.vector(12), [0.2, 0.4]);
    expect(table.vector(10)).not.toEqual(Float32Array.of(0.4, 0.4));
    expect([...table.vector(6)]).toEqual([...Float32Array.of(0.1, 0.2)]);
  });

  it('goes outward from known rows along a chain, whatever the order of rows', () => {
    const { table, initialiser } = setUp({});
    initialiser.start(
      Int32Array.of(10, 11, 12, 13, 14),
      triples([
        [10, 1, 11],
        [11, 1, 12],
        [12, 1, 6],
        [13, 1, 14],
      ]),
    );
    const tolerance = 3 * (SCALE / 2 + 1e-6);
    near(table.vector(12), [-0.1, 0.2], tolerance);
    near(table.vector(11), [-0.3, 0.2], tolerance);
    near(table.vector(10), [-0.5, 0.2], tolerance);
    // No path leads from 13 or 14 to a known row: a plain random start.
    near(table.vector(13), [0, 0], SCALE);
    near(table.vector(14), [0, 0], SCALE);
    expect(table.vector(13).some((value) => value !== 0)).toBe(true);
  });

  it('uses only neighbours of the wave before: two new rows beside one known don’t see each other', () => {
    const { table, initialiser } = setUp({});
    initialiser.start(
      Int32Array.of(10, 11),
      triples([
        [6, 1, 10],
        [6, 1, 11],
        [10, 1, 11],
      ]),
    );
    near(table.vector(10), [0.3, 0.2]);
    near(table.vector(11), [0.3, 0.2]);
  });

  it('takes the plain mean under a dot product, and no account of loops', () => {
    const { table, initialiser } = setUp({ model: { ...settings.model, dim: DIM, scorer: 'twhin' } });
    initialiser.start(
      Int32Array.of(10),
      triples([
        [6, 1, 10],
        [10, 1, 10],
        [7, 1, 10],
      ]),
    );
    near(table.vector(10), [0.2, 0.4]);
  });

  it('scales starts into the unit ball when the settings say so', () => {
    const { table, initialiser } = setUp({ init: 'random', initScale: 30 });
    const free = setUp({
      init: 'random',
      initScale: 30,
      model: { ...settings.model, dim: DIM, unitBall: false },
    });
    initialiser.start(Int32Array.of(10), triples([]));
    free.initialiser.start(Int32Array.of(10), triples([]));
    const [x, y] = free.table.vector(10);
    const length = Math.hypot(x!, y!);
    expect(length).toBeGreaterThan(1);
    near(table.vector(10), [x! / length, y! / length], 1e-6);
  });
});
