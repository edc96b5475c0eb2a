import { describe, expect, test } from 'vitest';
import { kernelOf, race, raceHere } from '../../src/compose/wide.ts';
import { reproducible } from '../../src/kernels/select.ts';
import { DEFAULTS, fill, kernelOnRandomRows, MODELS, randomContent, seeded } from '../kernels/fixture.ts';

/** The narrow and the wide form on the same rows and chunk. */
function contenders() {
  const make = (name: 'wasm-plain' | 'wasm-plain-wide') => {
    const made = kernelOnRandomRows(name, DEFAULTS, { rows: 20 });
    const size = { relations: 2, rows: 20, edges: 9, lhsCount: 8, rhsCount: 13 };
    fill(made.kernel.chunk, randomContent(seeded(5), size));
    return made;
  };
  return [make('wasm-plain'), make('wasm-plain-wide')] as const;
}

/** A clock for which each narrow step and each wide step takes so long. */
function clockOf(narrowMs: number, wideMs: number): () => number {
  let [now, calls] = [0, 0];
  return () => {
    now += [0, narrowMs, 0, wideMs][calls++ % 4]!;
    return now;
  };
}

describe('a race', () => {
  test('is won by a faster form that gives the same bytes', () => {
    expect(race(...contenders(), clockOf(1.7, 1))).toEqual({
      won: true,
      why: 'a wide step is 1.70 times as fast as a narrow one',
    });
  });

  test('is lost by a form that is hardly faster', () => {
    expect(race(...contenders(), clockOf(1.09, 1))).toMatchObject({ won: false });
  });

  test.each(['vector', 'loss'])('is lost by a form that gives one other byte, in a %s', (where) => {
    const [narrow, { kernel, table }] = contenders();
    let steps = 0;
    const step = () => {
      const loss = kernel.step();
      if (steps++ !== 7) return loss;
      if (where === 'loss') return loss * (1 + Number.EPSILON);
      new Uint8Array(table.memory.buffer)[4 * table.at(11)]! ^= 1;
      return loss;
    };
    expect(race(narrow, { kernel: { step }, table }, clockOf(1.7, 1))).toEqual({
      won: false,
      why: 'a wide step gives other bytes than a narrow one',
    });
  });

  test.each(MODELS)('is never lost by the bytes here: $scorer with $loss', ({ scorer, loss }) => {
    for (const build of ['wasm-plain', 'wasm-relaxed'] as const)
      for (const dim of [3, 41, 128])
        expect(raceHere(build, { ...DEFAULTS, dim, scorer, loss }).why).not.toContain('bytes');
  });
});

test('a kernel is wide by its name alone, and only where it may be', () => {
  const settings = { kernel: 'wasm', model: DEFAULTS } as const;
  expect(kernelOf({ ...settings, wide: 'auto' }).kernel).toMatch(/^wasm-(plain|relaxed)(-wide)?$/);
  expect(kernelOf({ ...settings, kernel: 'wasm-plain', wide: 'off' }, reproducible)).toEqual({
    kernel: 'wasm-plain',
    why: 'training.wide is off',
  });
  expect(kernelOf({ ...settings, kernel: 'reference', wide: 'auto' })).toEqual({ kernel: 'reference' });
});
