import { expect, test } from 'vitest';
import { findInLists, findPlanted, plantedIn } from '../../demo/truth.ts';
import type { Truth } from '../../demo/world.ts';

const SIDE = 3;

/** Three communities of `SIDE` users each, ids 0 … 8, community = id / SIDE. */
function plantedTruth(): Truth {
  const users = new Map(Array.from({ length: 3 * SIDE }, (_, id) => [String(id), Math.floor(id / SIDE)]));
  return {
    users,
    second: new Map([['4', 2]]),
    tweets: new Map(),
    ads: new Map(),
    communities: ['jazz', 'chess', 'opera'],
    erased: new Set(),
    counts: { actions: {}, bad: {}, duplicates: 0, late: 0, erasures: 0 },
  };
}

/** Angle in degrees for each user, in the order of ids. The lengths differ, which must not change the cosine. */
function vectorsAt(degrees: readonly number[]): Map<string, Float32Array> {
  return new Map(
    degrees.map((angle, id) => {
      const radians = (angle * Math.PI) / 180;
      return [String(id), Float32Array.of(Math.cos(radians), Math.sin(radians)).map((x) => x * (1 + id))];
    }),
  );
}

test('finds every planted neighbour when the communities point apart, also of a sample', () => {
  const vectors = vectorsAt([0, 2, 5, 120, 122, 125, 240, 242, 245]);
  const sample = findPlanted(vectors, plantedTruth(), { neighbours: 2, sample: 3 });
  expect([sample.users, sample.share]).toEqual([3, 1]);
  expect(findPlanted(new Map(), plantedTruth())).toMatchObject({ users: 0, share: 0, ratio: 0 });
  const findings = findPlanted(vectors, plantedTruth(), { neighbours: 2 });
  expect(findings.share).toBe(1);
  // Two of the other eight users belong to the user's own community.
  expect(findings.chance).toBeCloseTo(2 / 8, 12);
  expect(findings.ratio).toBeCloseTo(4, 12);
  expect(findings.users).toBe(9);
});

test('neighbours come nearest first, with their cosine', () => {
  const vectors = vectorsAt([0, 2, 5, 120, 122, 125, 240, 242, 245]);
  const { examples } = findPlanted(vectors, plantedTruth(), { neighbours: 3, sample: 9, examples: 9 });
  const example = examples.find(({ user }) => user === '4');
  expect(example?.community).toBe('chess');
  expect(example?.second).toBe('opera');
  expect(example?.nearest.map(({ user }) => user)).toEqual(['3', '5', '2']);
  expect(example?.nearest.map(({ sameCommunity }) => sameCommunity)).toEqual([true, true, false]);
  expect(example?.nearest[0]?.cosine).toBeCloseTo(Math.cos((2 * Math.PI) / 180), 6);
  expect(example?.nearest[2]?.cosine).toBeCloseTo(Math.cos((117 * Math.PI) / 180), 6);
});

test('counts a half-right answer as half', () => {
  // Users 0, 1 | 3, 4 | 6, 7 are pairs; 2, 5, 8 lie beside the pair of the next community.
  const vectors = vectorsAt([0, 1, 123, 120, 121, 243, 240, 241, 3]);
  // With one neighbour, pairs find each other (6 right) and 2, 5, 8 find another community (3 wrong).
  expect(findPlanted(vectors, plantedTruth(), { neighbours: 1 }).share).toBeCloseTo(6 / 9, 12);
});

test('leaves out users without a usable vector and those not in the truth', () => {
  const vectors = vectorsAt([0, 2, 5, 120, 122, 125, 240, 242, 245]);
  vectors.delete('0');
  vectors.set('3', Float32Array.of(0, 0));
  vectors.set('6', Float32Array.of(Number.NaN, 1));
  vectors.set('erased', Float32Array.of(1, 0));
  const findings = findPlanted(vectors, plantedTruth(), { neighbours: 1 });
  expect(findings.users).toBe(6);
  expect(findings.share).toBe(1);
  expect(findings.chance).toBeCloseTo(1 / 5, 12);
});

test('vectors of two lengths are an error', () => {
  const vectors = vectorsAt([0, 2, 5]);
  vectors.set('3', Float32Array.of(1, 2, 3));
  expect(() => findPlanted(vectors, plantedTruth())).toThrow('vectors of 2 and 3 numbers');
});

test('lists are compared with what is popular and with chance, by all communities of a user', async () => {
  const truth = {
    ...plantedTruth(),
    tweets: new Map([
      ['a', 0],
      ['b', 1],
      ['c', 2],
      ['d', 2],
    ]),
    ads: new Map([['x', 1]]),
  };
  const asked: string[] = [];
  const found = await findInLists('home', 'tweet', truth, async (user) => {
    asked.push(user);
    return { served: ['tweet:a', 'tweet:c'], popular: ['tweet:c', 'tweet:nobody'] };
  });
  expect(asked).toEqual([...truth.users.keys()].map((id) => `user:${id}`));
  // Of nine users, three are of jazz, three of opera; user 4 is of chess and of opera.
  expect(found.surface).toBe('home');
  expect(found.share).toBeCloseTo((3 * 0.5 + 1 * 0.5 + 3 * 0.5) / 9, 12);
  expect(found.popularity).toBeCloseTo((1 * 0.5 + 3 * 0.5) / 9, 12);
  expect(found.chance).toBeCloseTo((3 * 0.25 + 2 * 0.25 + 0.75 + 3 * 0.5) / 9, 12);
  expect(plantedIn(truth, 'user:4')).toEqual(['chess', 'opera']);
  expect([plantedIn(truth, 'ad:x'), plantedIn(truth, 'advertiser:x')]).toEqual([['chess'], []]);
});
