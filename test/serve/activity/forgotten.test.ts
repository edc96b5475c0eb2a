import { expect, it } from 'vitest';
import { Forgotten } from '../../../src/serve/activity/forgotten.ts';
import { user } from '../serve-fixture.ts';

it('finds all that was forgotten, and hardly anybody else', () => {
  // 2^20 bits, four of them for each of 100,000: one other in a hundred is found, (1 - e^(-4 / 10.5))^4 = .0105.
  const forgotten = new Forgotten(2 ** 20);
  expect(forgotten.has(user(1))).toBe(false);
  for (let i = 0; i < 100_000; i++) forgotten.add(user(i));
  const found = (from: number) => {
    let count = 0;
    for (let i = from; i < from + 100_000; i++) if (forgotten.has(user(i))) count++;
    return count;
  };
  expect(found(0)).toBe(100_000);
  expect(found(1_000_000)).toBeGreaterThan(500);
  expect(found(1_000_000)).toBeLessThan(2_000);
});
