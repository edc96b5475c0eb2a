import { describe, expect, test } from 'vitest';
import { mergeJoin } from '../../../src/replay/compare/merge-join.ts';

async function* of(numbers: readonly number[], onEnd = () => {}): AsyncIterable<number> {
  try {
    yield* numbers;
  } finally {
    onEnd();
  }
}

const joined = (a: number[], b: number[]) => Array.fromAsync(mergeJoin(of(a), of(b), (x, y) => x - y));

describe('mergeJoin', () => {
  test('pairs what is equal and leaves the rest single, in order', async () => {
    expect(await joined([1, 3, 4, 8], [2, 3, 8, 9])).toEqual([
      { a: 1 },
      { b: 2 },
      { a: 3, b: 3 },
      { a: 4 },
      { a: 8, b: 8 },
      { b: 9 },
    ]);
  });

  test('goes on when either ends first, or was empty', async () => {
    expect(await joined([], [1, 2])).toEqual([{ b: 1 }, { b: 2 }]);
    expect(await joined([1, 2], [])).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await joined([1], [0, 1, 2])).toEqual([{ b: 0 }, { a: 1, b: 1 }, { b: 2 }]);
    expect(await joined([], [])).toEqual([]);
  });

  test('lets both go when it is left early', async () => {
    let ended = 0;
    const end = () => void ended++;
    for await (const _ of mergeJoin(of([1, 2], end), of([1, 2], end), (x, y) => x - y)) break;
    expect(ended).toBe(2);
  });
});
