import { describe, expect, test } from 'vitest';
import { FatalError, UsageError } from '../../src/errors/errors.ts';
import { entityKey } from '../../src/graph/entity.ts';
import { Random } from '../../src/sampling/random.ts';
import { SharedPasses } from '../../src/serve/shared-passes.ts';
import type { CandidatesAsked } from '../../src/serve/surfaces.ts';
import { graphOf, surfacesOf } from './serve-fixture.ts';

const user = (id: number) => entityKey('user', `u${id}`);
const tweet = (id: number) => entityKey('tweet', `t${id}`);

/** A graph of 30 users and 300 tweets; users like and retweet some of them. */
function world() {
  const random = Random.seeded(5);
  const vector = () => Array.from({ length: 3 }, () => Math.round(20 * random.uniform()) / 10 - 1);
  const graph = graphOf();
  for (const relation of ['likes', 'retweets', 'follows']) graph.relate(relation, vector());
  for (let i = 0; i < 30; i++) graph.put(user(i), vector());
  for (let i = 0; i < 300; i++) graph.put(tweet(i), vector());
  for (let i = 0; i < 30; i++) {
    graph.edges(user(i), 'likes', [tweet(i), tweet(2 * i + 1)]);
    if (i % 3 === 0) graph.edges(user(i), 'retweets', [tweet(i + 30)]);
  }
  const asked = (n: number): CandidatesAsked => ({
    surface: n % 5 === 4 ? 'who-to-follow' : 'home',
    user: user(n % 33),
    k: 1 + ((7 * n) % 40),
    exclude: [tweet(n)],
    explain: n % 2 === 0,
  });
  return { graph, surfaces: surfacesOf(graph), asked };
}

/** Tasks that wait until they are told to run, and a clock that moves on so much with each look at it. */
function held(ms = 0) {
  const tasks: (() => void)[] = [];
  let now = 0;
  return {
    clock: () => (now += ms),
    later: (task: () => void) => void tasks.push(task),
    run: () => {
      for (const task of tasks.splice(0)) task();
    },
  };
}

describe('requests that share passes', () => {
  test('are answered as each alone, with one relation or several, with and without a vector', async () => {
    const { surfaces, asked } = world();
    const { later, run, clock } = held();
    const shared = new SharedPasses(surfaces, later, clock);
    const answers = Array.from({ length: 45 }, (_, n) => shared.candidates(asked(n)));
    run();
    expect(await Promise.all(answers)).toEqual(
      Array.from({ length: 45 }, (_, n) => surfaces.candidates(asked(n))),
    );
    expect(new Set((await Promise.all(answers)).map(({ fallback }) => fallback))).toEqual(
      new Set([null, 'popular']),
    );
  });

  test('see the vectors of the moment at which they are answered, not at which they came', async () => {
    const { graph, surfaces, asked } = world();
    const { later, run, clock } = held();
    const shared = new SharedPasses(surfaces, later, clock);
    const [before] = surfaces.candidates({ ...asked(0), k: 3 }).items;
    const answer = shared.candidates({ ...asked(0), k: 3 });
    // The row of the entity that goes is given to another one.
    graph.put(before!.entity, null);
    graph.put(tweet(999), [9, 9, 9]);
    run();
    const { items } = await answer;
    expect(items.map(({ entity }) => entity)).not.toContain(before!.entity);
    expect(items).toEqual(surfaces.candidates({ ...asked(0), k: 3 }).items);
  });

  test('that fail do so alone', async () => {
    const { surfaces, asked } = world();
    const { later, run, clock } = held();
    const shared = new SharedPasses(surfaces, later, clock);
    const bad = shared.candidates({ ...asked(0), relation: 'hates' });
    const good = shared.candidates(asked(1));
    run();
    await expect(bad).rejects.toBeInstanceOf(UsageError);
    expect(await good).toEqual(surfaces.candidates(asked(1)));
  });

  test('fail together where their pass does, and those of another pass are answered', async () => {
    const { surfaces, asked } = world();
    const { later, run } = held();
    const shared = new SharedPasses(surfaces, later, () => 0);
    const { scan } = surfaces.look(asked(0))!;
    scan.top = () => {
      throw new Error('no scan');
    };
    const tweets = [0, 1].map((n) => shared.candidates(asked(n)));
    const users = shared.candidates(asked(4));
    const failures = tweets.map((failing) => expect(failing).rejects.toThrow('no scan'));
    run();
    await Promise.all(failures);
    expect(await users).toEqual(surfaces.candidates(asked(4)));
  });

  test('are refused as busy where all together would take too long, and taken again once those before are answered', async () => {
    const { surfaces, asked } = world();
    const { later, run, clock } = held(400);
    const shared = new SharedPasses(surfaces, later, clock);
    /** How many requests are taken before one is refused. */
    const taken = () => {
      const answers: Promise<unknown>[] = [];
      try {
        for (let n = 0; n < 1_000; n++) answers.push(shared.candidates(asked(n)));
      } catch (error) {
        expect(error).toBeInstanceOf(FatalError);
        expect(String(error)).toMatch(new RegExp(`${answers.length} requests wait`));
      }
      run();
      return { count: answers.length, all: Promise.all(answers) };
    };
    const first = taken();
    expect(first.count).toBe(50);
    expect(await first.all).toHaveLength(50);
    // 400 ms for all of them: each took 8 ms, and of 50 ms there is room for fewer.
    const second = taken();
    expect(second.count).toBeLessThan(25);
    await second.all;
    for (let i = 0; i < 30; i++) await taken().all;
    expect(taken().count).toBe(4);
  });

  test('scan four queries at a time', async () => {
    const { graph, surfaces } = world();
    const { later, run, clock } = held();
    const shared = new SharedPasses(surfaces, later, clock);
    // Users with likes alone ask one query each.
    const one = (n: number) => ({ surface: 'home' as const, user: user(n), k: 5 });
    const look = surfaces.look(one(1));
    const passes: number[] = [];
    const scan = look!.scan;
    const top = scan.top.bind(scan);
    scan.top = (queries, count, range) => {
      passes.push(queries.length);
      return top(queries, count, range);
    };
    const answers = [1, 2, 4, 5, 7, 8].map((n) => shared.candidates(one(n)));
    run();
    await Promise.all(answers);
    expect(passes).toEqual([4, 2]);
    expect(graph.spaces.current?.table('tweet')?.size).toBe(300);
  });
});
