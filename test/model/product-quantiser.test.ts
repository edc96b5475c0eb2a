import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CENTROIDS, ProductQuantiser, partsOf } from '../../src/model/product-quantiser.ts';
import { Random } from '../../src/sampling/random.ts';

const training = (seed = 1) => {
  const random = Random.seeded(seed);
  const shares: number[] = [];
  const turn = async (share: number) => void shares.push(share);
  return { shares, below: (n: number) => random.below(n), turn };
};
const numbers = (count: number, seed = 2) => {
  const random = Random.seeded(seed);
  return Float32Array.from({ length: count }, () => random.uniform() - 0.5);
};
/** Squared distance of part `part` of vector `i` from a centroid, by the plain formula. */
function distance(quantiser: ProductQuantiser, vectors: Float32Array, i: number, part: number, c: number) {
  const { dim, parts } = quantiser.cut;
  const width = dim / parts;
  let square = 0;
  for (let k = 0; k < width; k++) {
    const centroid = quantiser.codebooks[(part * CENTROIDS + c) * width + k]!;
    square += (vectors[i * dim + part * width + k]! - centroid) ** 2;
  }
  return square;
}
const roundTrip = (quantiser: ProductQuantiser, vectors: Float32Array) => {
  const codes = new Uint8Array((vectors.length / quantiser.cut.dim) * quantiser.cut.parts);
  quantiser.encode(vectors, codes);
  const decoded = new Float32Array(vectors.length);
  quantiser.decode(codes, decoded);
  return { codes, decoded };
};
const loss = (vectors: Float32Array, decoded: Float32Array) =>
  vectors.reduce((sum, value, i) => sum + (value - decoded[i]!) ** 2, 0) / vectors.length;

describe('ProductQuantiser', () => {
  test('gives each part the code of its nearest centroid, and decodes to that centroid', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3, 6), fc.integer(), (parts, seed) => {
        const quantiser = new ProductQuantiser({ dim: 6, parts }, numbers(CENTROIDS * 6, seed));
        const vectors = numbers(20 * 6, seed ^ 7);
        const { codes, decoded } = roundTrip(quantiser, vectors);
        for (const [at, code] of codes.entries()) {
          const [i, part] = [Math.floor(at / parts), at % parts];
          const all = Array.from({ length: CENTROIDS }, (_, c) => distance(quantiser, vectors, i, part, c));
          expect(all[code]!).toBeCloseTo(Math.min(...all), 12);
          const width = 6 / parts;
          for (let k = 0; k < width; k++) {
            const expected = quantiser.codebooks[(part * CENTROIDS + code) * width + k];
            expect(decoded[i * 6 + part * width + k]).toBe(expected);
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  test('keeps at most 256 vectors as they are', async () => {
    for (const count of [0, 1, 5, CENTROIDS]) {
      const vectors = numbers(count * 8);
      const quantiser = await ProductQuantiser.train(vectors, { dim: 8, parts: 4 }, training());
      expect(roundTrip(quantiser, vectors).decoded).toEqual(vectors);
      if (count > 0) expect(quantiser.codebooks.subarray(count * 2, CENTROIDS * 2).some(Boolean)).toBe(false);
    }
  });

  test('finds the clusters of a sample: each part of a vector lies nearly on a centroid', async () => {
    // Each part of a vector is near one of 60 places.
    const places = numbers(60 * 8, 3);
    const vectors = Float32Array.from({ length: 1_500 * 8 }, (_, at) => {
      const [i, k] = [Math.floor(at / 8), at % 8];
      return places[((i * 7 + (k >> 2) * i) % 60) * 8 + k]! + 1e-4 * Math.sin(at);
    });
    const quantiser = await ProductQuantiser.train(vectors, { dim: 8, parts: 2 }, training());
    expect(loss(vectors, roundTrip(quantiser, vectors).decoded)).toBeLessThan(1e-7);
  });

  test('k-means loses less than centroids drawn at random, and a second training gives the same', async () => {
    const vectors = numbers(2_000 * 8);
    const [first, second] = [training(), training()];
    const trained = await ProductQuantiser.train(vectors, { dim: 8, parts: 2 }, first);
    const again = await ProductQuantiser.train(vectors, { dim: 8, parts: 2 }, second);
    expect(again.codebooks).toEqual(trained.codebooks);
    const drawn = new Float32Array(CENTROIDS * 8);
    for (let c = 0; c < CENTROIDS; c++)
      for (const part of [0, 1])
        drawn.set(vectors.subarray(8 * c + 4 * part, 8 * c + 4 * part + 4), (part * CENTROIDS + c) * 4);
    const plain = new ProductQuantiser({ dim: 8, parts: 2 }, drawn);
    expect(loss(vectors, roundTrip(trained, vectors).decoded)).toBeLessThan(
      0.75 * loss(vectors, roundTrip(plain, vectors).decoded),
    );
    expect(first.shares[0]).toBe(0);
    expect(first.shares).toEqual(first.shares.toSorted((a, b) => a - b));
    expect(first.shares.at(-1)).toBeLessThan(1);
  });

  test('a centroid that drew one of many equal vectors goes where it is needed', async () => {
    const vectors = new Float32Array(3_000 * 4);
    // 200 different vectors among 2,800 zeros: hardly any of them is drawn as a first centroid.
    vectors.set(numbers(200 * 4), 0);
    const quantiser = await ProductQuantiser.train(vectors, { dim: 4, parts: 1 }, training());
    expect(loss(vectors, roundTrip(quantiser, vectors).decoded)).toBeLessThan(1e-12);
  });

  test('refuses parts that do not divide, and lengths that disagree', async () => {
    expect(partsOf(12)).toEqual([1, 2, 3, 4, 6, 12]);
    const shape = expect.objectContaining({ code: 'shape' });
    for (const parts of [0, 3, 1.5, 16]) {
      expect(() => new ProductQuantiser({ dim: 8, parts }, new Float32Array(8 * CENTROIDS))).toThrow(shape);
    }
    expect(() => new ProductQuantiser({ dim: 8, parts: 2 }, new Float32Array(8))).toThrow(shape);
    const short = ProductQuantiser.train(new Float32Array(9), { dim: 8, parts: 2 }, training());
    await expect(short).rejects.toEqual(shape);
    const quantiser = new ProductQuantiser({ dim: 8, parts: 2 }, new Float32Array(8 * CENTROIDS));
    expect(() => quantiser.encode(new Float32Array(8), new Uint8Array(3))).toThrow(shape);
    expect(() => quantiser.decode(new Uint8Array(1), new Float32Array(8))).toThrow(shape);
  });
});
