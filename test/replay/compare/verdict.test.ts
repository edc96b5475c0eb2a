import { describe, expect, test } from 'vitest';
import type { Quality } from '../../../src/replay/compare/quality.ts';
import { better, verdict } from '../../../src/replay/compare/verdict.ts';

function quality(a: number, b: number, standardError: number, edges: number): Quality {
  const figures = (mrr: number) => ({ mrr, hits10: 0, meanRank: 1 });
  return {
    all: { edges, a: figures(a), b: figures(b), popularity: figures(0) },
    relations: {},
    difference: { mrr: b - a, standardError },
  };
}

describe('verdict', () => {
  test('names the better one, its figures first', () => {
    expect(verdict(quality(0.398, 0.412, 0.003, 4120))).toBe(
      'B is better: MRR 0.412 against 0.398, +0.0140 ± 0.0030 (standard error; 4,120 edges).',
    );
    expect(verdict(quality(0.412, 0.398, 0.003, 4120))).toBe(
      'A is better: MRR 0.412 against 0.398, +0.0140 ± 0.0030 (standard error; 4,120 edges).',
    );
  });

  test('tells no difference within two standard errors, in too few edges, and in none', () => {
    expect(verdict(quality(0.4, 0.394, 0.0031, 4120))).toBe(
      'No difference can be told: B has MRR 0.394 against 0.400, -0.0060 ± 0.0031 (standard error; 4,120 edges).',
    );
    expect(verdict(quality(0.4, 0.5, 0.0031, 29))).toMatch(
      /^Too few edges to tell which is better: B has MRR 0.500/,
    );
    expect(verdict(undefined)).toBe('Which is better can not be told: no new edge was ranked.');
  });

  test('is beyond two standard errors or not at all', () => {
    expect(better(quality(0.4, 0.4625, 0.03125, 30))).toBeUndefined();
    expect(better(quality(0.4, 0.4626, 0.03125, 30))).toBe('B');
    expect(better(quality(0.4626, 0.4, 0.03125, 30))).toBe('A');
    expect(better(quality(0.4, 0.4, 0, 1000))).toBeUndefined();
    expect(better(quality(0.4, 0.5, Number.NaN, 1))).toBeUndefined();
  });
});
