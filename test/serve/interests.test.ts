import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import {
  interleave,
  KMeans,
  medoidsOf,
  mixtureOf,
  spreadOf,
  wardClusters,
} from '../../src/serve/interests.ts';

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
  const kMeans = new KMeans(points, (n) => random.below(n), clusters);
  let steps = 0;
  for (; !kMeans.done; steps++) kMeans.step();
  return { centroids: kMeans.centroids, steps };
}

describe('KMeans', () => {
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

  it('has no more clusters than points, and needs a point', () => {
    expect(clustered(blobs(3, 1), 6, 1).centroids).toHaveLength(3);
    expect(() => new KMeans([], () => 0)).toThrow(/k-means needs at least one point; seen none/);
  });
});

describe('wardClusters', () => {
  /** The same with the costs of all pairs worked out anew each time, from what unions add to the squares. */
  function plainWard(points: readonly Float32Array[], limit: number): number[][] {
    const squares = (members: readonly number[]) => {
      const own = members.map((i) => points[i]!);
      return own.reduce((sum, point) => sum + squared(point, mean(own)), 0);
    };
    let clusters = points.map((_, i) => [i]);
    for (;;) {
      const unions = clusters.flatMap((a, i) =>
        clusters.slice(i + 1).map((b) => ({ a, b, cost: squares([...a, ...b]) - squares(a) - squares(b) })),
      );
      const best = unions.sort((x, y) => x.cost - y.cost)[0];
      if (best === undefined || best.cost > limit) return clusters;
      clusters = [...clusters.filter((each) => each !== best.a && each !== best.b), [...best.a, ...best.b]];
    }
  }
  const sorted = (clusters: number[][]) =>
    clusters.map((members) => [...members].sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);

  it.each([0, 0.1, 0.5, 2, 1_000])('merges as the plain rule does, up to a cost of %d', (limit) => {
    for (let seed = 1; seed <= 5; seed++) {
      const points = blobs(17, seed);
      expect(sorted(wardClusters(points, limit)), `seed ${seed}`).toEqual(sorted(plainWard(points, limit)));
    }
  });

  it('has nothing to merge in one point or none', () => {
    expect(wardClusters([], 1)).toEqual([]);
    expect(wardClusters([Float32Array.of(1)], 1)).toEqual([[0]]);
  });
});

const points = (...values: number[]) => values.map((value) => Float32Array.of(value));

describe('medoidsOf', () => {
  it('gives the middle targets of the largest clusters, in proportion to their sizes', () => {
    // Four clusters: 0, 1, 2, 3.5; 20, 21, 23; 40; 60, of which the newer is kept.
    const targets = points(40, 0, 20, 1, 21, 2, 23, 3.5, 60);
    const interests = medoidsOf(targets, 10);
    expect(interests.map(({ vector }) => vector[0])).toEqual([2, 21, 60]);
    expect(interests.map(({ share }) => share)).toEqual([4 / 8, 3 / 8, 1 / 8]);
    // Both are as near to the other: the newer one.
    expect(medoidsOf(points(6, 5), 10).map(({ vector }) => vector[0])).toEqual([5]);
  });

  it('keeps targets apart that are further apart than two at random', () => {
    expect(medoidsOf(points(0, 2), 1.9)).toHaveLength(2);
    expect(medoidsOf(points(0, 2), 2)).toHaveLength(1);
  });
});

describe('spreadOf', () => {
  it('is the mean squared distance to the mean', () => {
    expect(spreadOf(points(1, 3, 8))).toBeCloseTo((9 + 1 + 16) / 3, 12);
  });
});

describe('mixtureOf', () => {
  it('asks for the means of the targets in each cluster, in proportion to how many they are', () => {
    const centroids = points(0, 10, 20, 30, 40, 50).map((centre) => Float64Array.from(centre));
    // Two in the cluster of 10, three in that of 30, one in each other: the five with the most or newest targets are kept.
    const targets = points(1, 11, 29, 14, 30, 28, 22, 41, 52);
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
