import { describe, expect, it } from 'vitest';
import { NegativePool } from '../../src/sampling/negative-pool.ts';
import { Random } from '../../src/sampling/random.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';

const FEW = 0;
const MANY = 1;

/** Rows 0 … 4 are of one type, 5 … 104 of the other. */
function typeRows(): TypeRows {
  const rows = new TypeRows(2, 200);
  for (let row = 0; row < 105; row++) rows.add(row, row < 5 ? FEW : MANY);
  return rows;
}

function draws(count: number, pool: NegativePool, type: number, random: Random): Set<number> {
  return new Set(Array.from({ length: count }, () => pool.draw(type, random)));
}

describe('NegativePool', () => {
  it('draws of as many rows as it has places in a batch, of others in the next, and of all over many', () => {
    const pool = new NegativePool(typeRows(), 10);
    const random = Random.seeded(3);
    pool.renew();
    const first = draws(500, pool, MANY, random);
    expect(first.size).toBeGreaterThan(7);
    expect(first.size).toBeLessThanOrEqual(10);
    expect(draws(500, pool, MANY, random)).toEqual(first);
    pool.renew();
    expect(draws(500, pool, MANY, random)).not.toEqual(first);
    const counts = new Float64Array(105);
    for (let batch = 0; batch < 2_000; batch++) {
      pool.renew();
      for (let i = 0; i < 20; i++) counts[pool.draw(MANY, random)]!++;
    }
    expect([...counts.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0]);
    // 400 each is expected; a row is drawn some twice a batch that it is in, which widens the spread.
    expect(Math.min(...counts.subarray(5))).toBeGreaterThan(300);
    expect(Math.max(...counts.subarray(5))).toBeLessThan(500);
  });

  it('draws of a type with fewer rows, or without places, as if it were not there', () => {
    const rows = typeRows();
    const plain = (type: number) => {
      const random = Random.seeded(5);
      return Array.from({ length: 50 }, () => rows.draw(type, random));
    };
    const pooled = (places: number, type: number) => {
      const random = Random.seeded(5);
      const pool = new NegativePool(rows, places);
      pool.renew();
      return Array.from({ length: 50 }, () => pool.draw(type, random));
    };
    expect(pooled(10, FEW)).toEqual(plain(FEW));
    expect(pooled(0, MANY)).toEqual(plain(MANY));
    expect(pooled(10, MANY)).not.toEqual(plain(MANY));
  });

  it('never gives a row that was dropped before the batch', () => {
    const rows = typeRows();
    const pool = new NegativePool(rows, 50);
    const random = Random.seeded(7);
    pool.renew();
    const seen = draws(500, pool, MANY, random);
    rows.drop(Int32Array.from(seen).subarray(0, 30));
    pool.renew();
    for (const row of draws(500, pool, MANY, random)) expect(rows.typeOf(row)).toBe(MANY);
  });
});
