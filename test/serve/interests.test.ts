import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { interleave, kMeans, mixtureOf } from '../../src/serve/interests.ts';

const squared = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, k) => sum + (value - b[k]!) ** 2, 0);

const mean = (points: readonly ArrayLike<number>[]) =>
  Array.from(points[0]!, (_, k) => points.reduce((sum, point) => sum + point[k]!, 0) / points.length);

/** Random points of four blobs. */
function blobs(points: number, seed: number): Float32Array[] {
  const random = Random.seeded(seed);
  return Array.from({ length: points }, () => {
    const blob = random.below(4);
    return Float32Array.from({ length: 3 }, (_, k) => (k === blob ? 2 : 0) + random.uniform());
  });
}

function clustered(points: readonly Float32Array[], clusters: number, seed: number) {
  const random = Random.seeded(seed);
  const means = kMeans(points, (n) => random.below(n), clusters);
  let [made, steps] = [means.next(), 0];
  for (; !made.done; steps++) made = means.next();
  return { centroids: made.value, steps };
}

describe('kMeans', () => {
  it('is ten rounds of Lloyd from points that are drawn', () => {
    const points = blobs(300, 1);
    const { centroids, steps } = clustered(points, 6, 2);
    // The draw by hand: a shuffle of the first places.
    const random = Random.seeded(2);
    const drawn = [...points];
    for (let i = 0; i < 6; i++) {
      const other = i + random.below(drawn.length - i);
      [drawn[i], drawn[other]] = [drawn[other]!, drawn[i]!];
    }
    let plain = drawn.slice(0, 6).map((point) => Array.from(point));
    for (let round = 0; round < 10; round++) {
      const byCluster = Map.groupBy(points, (point) => {
        const distances = plain.map((centre) => squared(point, centre));
        return distances.indexOf(Math.min(...distances));
      });
      plain = plain.map((centre, i) => (byCluster.has(i) ? mean(byCluster.get(i)!) : centre));
    }
    centroids.forEach((centre, i) => {
      centre.forEach((value, k) => {
        expect(value).toBeCloseTo(plain[i]![k]!, 10);
      });
    });
    // 64 points a step, ten rounds.
    expect(steps).toBe(10 * Math.ceil(300 / 64));
  });

  it('leaves a centre without points where it is', () => {
    const { centroids } = clustered(
      [0, 0, 0, 5].map((value) => Float32Array.of(value)),
      4,
      1,
    );
    expect(centroids.map(([value]) => value).sort()).toEqual([0, 0, 0, 5]);
  });

  it('has no more clusters than points', () => {
    for (const n of [0, 3]) expect(clustered(blobs(n, 1), 6, 1).centroids).toHaveLength(n);
  });
});

const points = (...values: number[]) => values.map((value) => Float32Array.of(value));

describe('mixtureOf', () => {
  it('asks for the means of the targets in each cluster, in proportion to how many they are', () => {
    const centroids = points(0, 10, 20, 30, 40, 50).map((centre) => Float64Array.from(centre));
    // Two in the cluster of 10, three in that of 30, one in each other: the five with the most or newest targets are kept.
    const targets = points(52, 41, 22, 28, 30, 14, 29, 11, 1);
    const interests = mixtureOf(targets, centroids);
    expect(interests.map(({ vector }) => vector[0])).toEqual([29, 12.5, 52, 41, 22]);
    expect(interests.map(({ share }) => share)).toEqual([3 / 8, 2 / 8, 1 / 8, 1 / 8, 1 / 8]);
  });
});

describe('interleave', () => {
  const itemsOf = (...of: Parameters<typeof interleave>) => interleave(...of).map(({ item }) => item);
  const lists = [
    [1, 2, 3, 4, 5],
    [11, 12, 13],
    [21, 22],
  ];

  it('gives each list its share of every beginning', () => {
    // The first list's quotients are .625, .208, .125, .089; the second's .25, .083; the third's .125. Of equals the first list.
    expect(itemsOf(lists, [0.625, 0.25, 0.125], 7)).toEqual([1, 11, 2, 3, 21, 4, 12]);
    const long = Array.from({ length: 3 }, (_, list) =>
      Array.from({ length: 200 }, (__, i) => 1_000 * list + i),
    );
    const merged = itemsOf(long, [0.5, 0.3, 0.2], 100);
    for (const [list, share] of [0.5, 0.3, 0.2].entries()) {
      for (const beginning of [10, 20, 50, 100]) {
        const places = merged.slice(0, beginning).filter((item) => Math.floor(item / 1_000) === list).length;
        expect(Math.abs(places - share * beginning)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('shows what is in several lists once, at no cost for the second list', () => {
    expect(
      itemsOf(
        [
          [1, 2, 3],
          [1, 2, 4],
        ],
        [0.5, 0.5],
        4,
      ),
    ).toEqual([1, 2, 3, 4]);
  });

  it('goes on with the others when a list ends, and ends with the last', () => {
    expect(itemsOf(lists, [0.1, 0.1, 0.8], 4)).toEqual([21, 22, 1, 11]);
    expect(itemsOf(lists, [0.6, 0.3, 0.1], 50)).toHaveLength(10);
    expect(itemsOf([], [], 5)).toEqual([]);
  });
});
