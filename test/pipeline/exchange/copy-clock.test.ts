import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyClock } from '../../../src/pipeline/exchange/copy-clock.ts';

test('takes the copies in the order of their rows, and spares those that were used since the hand came by', () => {
  const clock = new CopyClock();
  for (const row of [7, 3, 2_000, 5]) clock.add(row);
  expect([clock.size, clock.has(3), clock.has(4), clock.has(9_999)]).toEqual([4, true, false, false]);
  // All are new: the first round takes none of them.
  expect(clock.next()).toBe(3);
  clock.remove(3);
  clock.use(5);
  clock.use(4);
  expect(clock.next()).toBe(7);
  clock.remove(7);
  clock.add(3);
  expect([clock.next(), clock.size]).toEqual([2_000, 3]);
  clock.remove(2_000);
  // Row 3 was added behind the hand, and is spared; 5 was spared before, and not used since.
  expect(clock.next()).toBe(5);
});

test('what is no copy is never taken, used or counted', () => {
  const clock = new CopyClock();
  clock.use(1);
  clock.remove(1);
  expect([clock.size, clock.has(1)]).toEqual([0, false]);
  clock.add(1);
  clock.add(1);
  expect(clock.size).toBe(1);
});

/** The same by a list that goes round, its head under the hand. */
class ListedClock {
  #list: { row: number; used: boolean }[] = [];
  #hand = 0;

  add(row: number): void {
    const found = this.#list.find((each) => each.row === row);
    if (found) found.used = true;
    else this.#list.push({ row, used: true });
  }

  use(row: number): void {
    for (const each of this.#list) if (each.row === row) each.used = true;
  }

  remove(row: number): void {
    this.#list = this.#list.filter((each) => each.row !== row);
  }

  next(): number {
    for (;;) {
      const ahead = (row: number) => (row >= this.#hand ? row - this.#hand : row - this.#hand + 1e6);
      const [first] = [...this.#list].sort((a, b) => ahead(a.row) - ahead(b.row));
      this.#hand = first!.row + 1;
      if (!first!.used) return first!.row;
      first!.used = false;
    }
  }
}

test('takes what a list with marks would', () => {
  const step = fc.record({
    what: fc.constantFrom('add' as const, 'use' as const, 'remove' as const, 'next' as const),
    row: fc.nat(30),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const [clock, listed] = [new CopyClock(), new ListedClock()];
      for (const { what, row } of steps) {
        if (what !== 'next') {
          clock[what](row);
          listed[what](row);
        } else if (clock.size > 0) {
          const next = clock.next();
          expect(next).toBe(listed.next());
          clock.remove(next);
          listed.remove(next);
        }
      }
    }),
  );
});
