import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FatalError, UsageError } from '../../src/errors/errors.ts';
import { entityKey } from '../../src/graph/entity.ts';
import { Random } from '../../src/sampling/random.ts';
import { OwnScans, type Scans } from '../../src/serve/looks.ts';
import { Gate, SharedPasses } from '../../src/serve/shared-passes.ts';
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
    from: user(n % 33),
    k: 1 + ((7 * n) % 40),
    exclude: n % 5 === 4 ? [] : [tweet(n)],
    explain: n % 2 === 0,
  });
  return { graph, alone: surfacesOf(graph), asked };
}

/** Scans in this thread, with what is asked of each pass noted; a clock; and the first round, which a test holds until `run`. */
function held(ms = 0) {
  const tasks: (() => void)[] = [];
  const passes: number[] = [];
  let [now, isHeld] = [0, true];
  const own = new OwnScans();
  const gate = new Gate();
  const scans: Scans = {
    top: (look) => {
      passes.push(look.queries.length);
      return own.top(look);
    },
    stop: () => own.stop(),
  };
  return {
    passes,
    scans,
    gate,
    shared: new SharedPasses({
      scans,
      gate,
      later: (task) => void (isHeld ? tasks.push(task) : setImmediate(task)),
      turn: immediate,
      clock: () => (now += ms),
    }),
    run: () => {
      isHeld = false;
      for (const task of tasks.splice(0)) task();
    },
  };
}

/** The surfaces of a world whose requests share passes, beside those that answer each alone. */
function together(ms?: number) {
  const [all, passes] = [world(), held(ms)];
  return { ...all, ...passes, surfaces: surfacesOf(all.graph, { passes: passes.shared }) };
}

describe('requests that share passes', () => {
  test('are answered as each alone, with one relation or several, with and without a vector', async () => {
    const { surfaces, alone, asked, run } = together();
    const answers = Array.from({ length: 45 }, (_, n) => surfaces.candidates(asked(n)));
    const near = surfaces.similar({ entity: tweet(5), k: 9 });
    run();
    for (const [n, answer] of answers.entries())
      expect(await answer).toEqual(await alone.candidates(asked(n)));
    expect(await near).toEqual(await alone.similar({ entity: tweet(5), k: 9 }));
    expect(new Set((await Promise.all(answers)).map(({ fallback }) => fallback))).toEqual(
      new Set([null, 'popular']),
    );
  });

  test('see the vectors of the moment at which they are answered, not at which they came', async () => {
    const { surfaces, graph, alone, asked, run } = together();
    const { items: old } = await alone.candidates({ ...asked(0), k: 3 });
    const answer = surfaces.candidates({ ...asked(0), k: 3 });
    // The row of the entity that goes is given to another one.
    graph.put(old[0]!.entity, null);
    graph.put(tweet(999), [9, 9, 9]);
    run();
    const { items } = await answer;
    expect(items.map(({ entity }) => entity)).not.toContain(old[0]!.entity);
    expect(items).toEqual((await alone.candidates({ ...asked(0), k: 3 })).items);
  });

  test('that fail do so alone', async () => {
    const { surfaces, alone, asked, run } = together();
    const bad = surfaces.candidates({ ...asked(0), relation: 'hates' });
    const good = surfaces.candidates(asked(1));
    run();
    await expect(bad).rejects.toBeInstanceOf(UsageError);
    expect(await good).toEqual(await alone.candidates(asked(1)));
  });

  test('fail together where their pass does, and those of another pass are answered', async () => {
    const { surfaces, graph, alone, asked, scans, run } = together();
    const { top } = scans;
    scans.top = async (look) => {
      if (look.table === graph.spaces.current?.table('tweet')?.scan) throw new Error('no scan');
      return top(look);
    };
    const tweets = [0, 1].map((n) => surfaces.candidates(asked(n)));
    const users = surfaces.candidates(asked(4));
    const failures = tweets.map((failing) => expect(failing).rejects.toThrow('no scan'));
    run();
    await Promise.all(failures);
    expect(await users).toEqual(await alone.candidates(asked(4)));
  });

  test('let nothing be written while one of their passes is out, though another one has failed', async () => {
    const { shared, scans, gate, run } = held();
    const out = Promise.withResolvers<[]>();
    scans.top = async ({ queries }) => {
      if (queries.length === 4) throw new Error('no scan');
      return out.promise;
    };
    const table = world().graph.spaces.current!.table('tweet')!.scan;
    const queries = Array.from({ length: 5 }, () => ({ vector: new Float64Array(table.dim) }));
    const answer = shared.ask(function* () {
      yield { table, scorer: 'transe-l2', queries, depth: 1 } as const;
    });
    run();
    await expect(answer).rejects.toThrow('no scan');
    const written = gate.write(() => undefined);
    expect(written).toBeInstanceOf(Promise);
    out.resolve([]);
    await written;
  });

  test('are refused as busy where all together would take too long, and taken again once those before are answered', async () => {
    const { surfaces, asked, run } = together(400);
    /** How many of 300 requests are taken, and not refused. */
    const taken = async () => {
      // All of them have a vector, and so something to look at.
      const of = (n: number) => surfaces.candidates({ ...asked(n), from: user(n % 30) });
      const answers = Array.from({ length: 300 }, (_, n) => of(n));
      run();
      const settled = await Promise.allSettled(answers);
      const refused = settled.filter((answer) => answer.status === 'rejected');
      for (const { reason } of refused) {
        expect(reason).toBeInstanceOf(FatalError);
        expect(String(reason)).toMatch(/\d+ requests wait/);
      }
      return settled.length - refused.length;
    };
    // A few requests take 400 ms: all but four of those that wait are refused, though they were taken at first.
    expect(await taken()).toBeLessThan(25);
    for (let i = 0; i < 30; i++) await taken();
    expect(await taken()).toBe(4);
  });

  test('that came alone do not make those that come together seem slow: four take about as long as one', async () => {
    const { surfaces, run } = together(5);
    // A user with likes alone asks one query.
    const one = () => surfaces.candidates({ surface: 'home', from: user(1), k: 5 });
    for (let i = 0; i < 20; i++) {
      const answer = one();
      run();
      await answer;
      // The round ends after its last answer.
      await new Promise(setImmediate);
    }
    const settled = await Promise.allSettled(Array.from({ length: 100 }, one));
    // Ten times four, at 5 ms each, are 50 ms.
    const answered = settled.filter(({ status }) => status === 'fulfilled').length;
    expect([40, 41]).toContain(answered);
  });

  test('that take long are answered in rounds of their own, between which vectors are written', async () => {
    const { surfaces, passes, run } = together(300);
    const one = () => surfaces.candidates({ surface: 'home', from: user(1), k: 5 });
    run();
    await one();
    await new Promise(setImmediate);
    // As a page asks for all its lists at once: none is refused.
    await Promise.all([one(), one(), one(), one()]);
    expect(passes).toEqual([1, 1, 1, 1, 1]);
  });

  test('keep nothing waiting that needs no scan, also where others are refused', async () => {
    const { surfaces, alone, passes, run } = together();
    const asked = Array.from({ length: 300 }, () => surfaces.similar({ entity: tweet(1), k: 1 }));
    const waiting = Promise.allSettled(asked);
    const candidates = Array.from({ length: 1_000 }, (_, n) => tweet(n % 300));
    const ranked = surfaces.rank({ from: user(1), relation: 'likes', candidates });
    expect(ranked).toEqual(alone.rank({ from: user(1), relation: 'likes', candidates }));
    expect(ranked?.items).toHaveLength(1_000);
    // No vector of that name, and what is popular.
    expect(await surfaces.similar({ entity: tweet(9_999), k: 1 })).toBeUndefined();
    const popular = await surfaces.candidates({ surface: 'home', from: user(99), k: 3 });
    expect([popular.fallback, passes]).toEqual(['popular', []]);
    run();
    expect((await waiting).filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  });

  test.each([
    [0, 1],
    [1, 2],
  ])('with %i writes before their round are begun %i times', async (writes, times) => {
    const { shared, gate, run } = held();
    const table = world().graph.spaces.current!.table('tweet')!.scan;
    let begun = 0;
    const answer = shared.ask(function* () {
      begun++;
      const vector = new Float64Array(table.dim);
      yield { table, scorer: 'transe-l2', queries: [{ vector }], depth: 1 } as const;
      return 'answered';
    });
    for (let i = 0; i < writes; i++) void gate.write(() => undefined);
    run();
    expect(await answer).toBe('answered');
    expect(begun).toBe(times);
  });

  test('let vectors be written between two rounds for some milliseconds, and not for ever', async () => {
    let now = 0;
    /** With the number of the round. */
    class CountingGate extends Gate {
      rounds = 0;
      override shut(): void {
        this.rounds++;
        super.shut();
      }
    }
    const gate = new CountingGate();
    const own = new OwnScans();
    const written: number[] = [];
    const shared = new SharedPasses({
      ...{ scans: own, gate, later: setImmediate, turn: immediate, clock: () => now },
    });
    const { graph, asked } = world();
    const surfaces = surfacesOf(graph, { passes: shared });
    // A reader hands over a run in each turn, as long as there are requests; half a millisecond each.
    let goesOn = true;
    const reader = (async () => {
      while (goesOn) {
        await gate.write(() => {
          now += 0.5;
          written[gate.rounds] = (written[gate.rounds] ?? 0) + 1;
        });
        await new Promise(setImmediate);
      }
    })();
    // Each asks again when it is answered: a round is always waiting.
    const client = async (n: number) => {
      for (let i = 0; i < 10; i++) await surfaces.candidates(asked(n));
    };
    await Promise.all([client(0), client(1), client(2), client(3), client(5)]);
    goesOn = false;
    await reader;
    const between = Array.from(written, (runs = 0) => runs).slice(2, -2);
    expect(between.length).toBeGreaterThan(3);
    // 10 ms are 20 runs; one more was handed over while the round lasted.
    expect(Math.max(...between)).toBeGreaterThan(5);
    expect(Math.max(...between)).toBeLessThan(30);
  });
});

describe('a gate', () => {
  test('tells each writer of its own failure alone', async () => {
    const gate = new Gate();
    const fails = () => {
      throw new Error('full');
    };
    expect(() => gate.write(fails)).toThrow('full');
    gate.shut();
    const failing = expect(gate.write(fails)).rejects.toThrow('full');
    let written = false;
    const after = gate.write(() => {
      written = true;
    });
    gate.open();
    await Promise.all([failing, after]);
    expect(written).toBe(true);
  });
});
