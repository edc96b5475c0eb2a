import { expect, test } from 'vitest';
import { copyAccumulator, ownerOfCopy, trainedShare, trainingShard } from '../../src/graph/shard.ts';

test.each([1, 2, 3, 4, 5, 8, 16, 255])('of %i shards, each trains its share of the edges', (count) => {
  const shards = Array.from({ length: count }, (_, index) => index);
  const ofLhs = shards.map((lhs) => shards.map((rhs) => trainingShard(lhs, rhs, count)));
  const trained = shards.map(() => 0);
  for (const lhs of shards)
    for (const rhs of shards) {
      const shard = ofLhs[lhs]![rhs]!;
      expect([lhs, rhs]).toContain(shard);
      trained[shard]!++;
      // All edges of two shards are trained by one of them, unless these face each other in the circle.
      if ((2 * Math.abs(lhs - rhs)) % count !== 0) expect(ofLhs[rhs]![lhs]).toBe(shard);
    }
  expect(trained).toEqual(shards.map(() => count));
  // Edges of own entities: those within the shard, and half of the others.
  for (const index of shards) {
    const [lhs, rhs] = [trainedShare({ index, count }, 'lhs'), trainedShare({ index, count }, 'rhs')];
    expect(lhs * count).toBe(ofLhs[index]!.filter((shard) => shard === index).length);
    expect(rhs * count).toBe(ofLhs.filter((byRhs) => byRhs[index] === index).length);
    expect(lhs + rhs).toBeCloseTo((count + 1) / count, 10);
  }
});

test("a copy's accumulator is below that of any own row, and says whose the copy is", () => {
  expect([0, 1, 255].map(copyAccumulator)).toEqual([-1, -2, -256]);
  const stored = Float32Array.from({ length: 256 }, (_, owner) => copyAccumulator(owner));
  expect([...stored].map(ownerOfCopy)).toEqual([...stored.keys()]);
});
