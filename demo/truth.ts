import type { Truth } from './world.ts';

/** Learned vectors by user id, all of equal length. */
export type Vectors = ReadonlyMap<string, Float32Array>;

export interface Neighbour {
  readonly user: string;
  /** Cosine of the two vectors: 1 is the same direction. */
  readonly cosine: number;
  readonly sameCommunity: boolean;
}

export interface Example {
  readonly user: string;
  readonly community: string;
  readonly second: string | undefined;
  /** Nearest first. */
  readonly nearest: readonly Neighbour[];
}

export interface Findings {
  /** Users whose neighbours were evaluated. */
  readonly users: number;
  /** Share of those neighbours that belong to the user's planted community. */
  readonly share: number;
  /** The same share for neighbours picked at random. */
  readonly chance: number;
  /** share / chance; 0 when no user could be evaluated. */
  readonly ratio: number;
  readonly examples: readonly Example[];
}

/** What is in the lists of a surface. */
export interface ListFindings {
  readonly surface: string;
  /** Share of the entities of the lists that are planted in a community of the list's user. */
  readonly share: number;
  /** The same share in lists of what is popular, and of entities picked at random. */
  readonly popularity: number;
  readonly chance: number;
}

/** Gives the list of a user and what is popular for that user, both as `type:id`. */
export type ListsOf = (user: string) => Promise<{ served: readonly string[]; popular: readonly string[] }>;

export interface FindOptions {
  /** Neighbours of each user. Default 10. */
  readonly neighbours?: number;
  /** Evaluated users, evenly spread over all users; every user stays a candidate. Default 500. */
  readonly sample?: number;
  readonly examples?: number;
}

/**
 * The share of each user's nearest users that belong to the user's planted community, against chance. Candidates are all
 * users of the truth whose vector exists, is finite and is not zero; the nearest are found by cosine.
 */
export function findPlanted(vectors: Vectors, truth: Truth, options: FindOptions = {}): Findings {
  const users = [...truth.users.keys()].filter((user) => isUsable(vectors.get(user))).sort(byNumber);
  const homes = users.map((user) => truth.users.get(user) ?? -1);
  const units = users.map((user) => unit(vectors.get(user) ?? new Float32Array()));
  const sizes = new Map<number, number>();
  for (const home of homes) sizes.set(home, (sizes.get(home) ?? 0) + 1);

  const count = Math.min(options.neighbours ?? 10, users.length - 1);
  const looked = Math.min(options.sample ?? 500, users.length);
  const wanted = options.examples ?? 3;
  const examples: Example[] = [];
  let found = 0;
  let chance = 0;
  if (count < 1) return { users: 0, share: 0, chance: 0, ratio: 0, examples };
  for (let n = 0; n < looked; n++) {
    const index = Math.floor((n * users.length) / looked);
    const home = homes[index] ?? -1;
    const nearest = nearestTo(index, units, count).map(({ index: other, cosine }) => {
      return { user: users[other] ?? '', cosine, sameCommunity: homes[other] === home };
    });
    found += nearest.filter((neighbour) => neighbour.sameCommunity).length;
    chance += ((sizes.get(home) ?? 1) - 1) / (users.length - 1);
    // Examples are spread over the sample, not chosen by their result.
    if (examples.length < wanted && n >= ((examples.length + 0.5) * looked) / (wanted + 1)) {
      const user = users[index] ?? '';
      const second = truth.second.get(user);
      examples.push({
        user,
        community: truth.communities[home] ?? String(home),
        second: second === undefined ? undefined : truth.communities[second],
        nearest,
      });
    }
  }
  const share = found / (looked * count);
  chance /= looked;
  return { users: looked, share, chance, ratio: chance === 0 ? 0 : share / chance, examples };
}

/** The names of an entity's communities, the first first; none for what is not planted. entity: as `type:id`. */
export function plantedIn(truth: Truth, entity: string): readonly string[] {
  return homesOf(truth, entity).map((home) => truth.communities[home] ?? String(home));
}

/** The shares of a surface's lists, over `sample` users (default 100) evenly spread over all that still exist. type: of what it shows. */
export async function findInLists(
  surface: string,
  type: 'tweet' | 'user',
  truth: Truth,
  listsOf: ListsOf,
  sample = 100,
): Promise<ListFindings> {
  const users = [...truth.users.keys()].sort(byNumber);
  const planted = type === 'tweet' ? truth.tweets : truth.users;
  const all = [...planted.keys()].map((id) => homesOf(truth, `${type}:${id}`));
  const sums = { served: 0, popular: 0, random: 0 };
  const looked = Math.min(sample, users.length);
  for (let n = 0; n < looked; n++) {
    const user = users[Math.floor((n * users.length) / looked)] ?? '';
    const own = homesOf(truth, `user:${user}`);
    const shares = (homes: readonly number[]) => homes.some((home) => own.includes(home));
    const shareOf = (list: readonly (readonly number[])[]) =>
      list.filter(shares).length / Math.max(1, list.length);
    const { served, popular } = await listsOf(`user:${user}`);
    sums.served += shareOf(served.map((entity) => homesOf(truth, entity)));
    sums.popular += shareOf(popular.map((entity) => homesOf(truth, entity)));
    sums.random += shareOf(all);
  }
  const mean = (sum: number) => (looked === 0 ? 0 : sum / looked);
  return { surface, share: mean(sums.served), popularity: mean(sums.popular), chance: mean(sums.random) };
}

function homesOf({ users, second, tweets, ads }: Truth, entity: string): number[] {
  const id = entity.slice(entity.indexOf(':') + 1);
  const of = entity.startsWith('user:')
    ? [users.get(id), second.get(id)]
    : [entity.startsWith('tweet:') ? tweets.get(id) : entity.startsWith('ad:') ? ads.get(id) : undefined];
  return of.filter((home) => home !== undefined);
}

function nearestTo(
  index: number,
  units: readonly Float32Array[],
  count: number,
): { index: number; cosine: number }[] {
  const own = units[index] ?? new Float32Array();
  const best: { index: number; cosine: number }[] = [];
  for (const [other, vector] of units.entries()) {
    if (other === index) continue;
    const cosine = dot(own, vector);
    if (best.length === count && cosine <= (best[count - 1]?.cosine ?? 0)) continue;
    const place = best.findIndex((known) => known.cosine < cosine);
    best.splice(place === -1 ? best.length : place, 0, { index: other, cosine });
    if (best.length > count) best.pop();
  }
  return best;
}

function isUsable(vector: Float32Array | undefined): boolean {
  return vector?.every(Number.isFinite) === true && vector.some((number) => number !== 0);
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((number) => number / norm);
}

/** @throws RangeError when the lengths disagree. */
function dot(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length)
    throw new RangeError(`vectors of ${a.length} and ${b.length} numbers can't be compared`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}
