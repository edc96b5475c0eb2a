import { describe, expect, it, vi } from 'vitest';
import type { EntityKey } from '../../src/graph/entity.ts';
import { statusTogether } from '../../src/serve/graph-status.ts';
import type { Merged } from '../../src/serve/merged.ts';
import { SpaceMoved } from '../../src/serve/shard.ts';
import { type ShardLink, ShardMissed, ShardRefused } from '../../src/serve/shard-link.ts';
import { Users } from '../../src/serve/users.ts';
import { edge, embedding, relationVector, surfacesOf, T0, tweet, user } from './serve-fixture.ts';
import { CutGraph, mergedOf, PARTS, PlainLink, partitionOf, shardOf, statusOf } from './shard-fixture.ts';

const TWEETS = 60;
const all = Array.from({ length: TWEETS }, (_, i) => tweet(i + 1));
/** Tweets of those shards, the nearest first. */
const heldBy = (...shards: number[]) =>
  all.filter((entity) => shards.some((i) => PARTS[i]!.includes(partitionOf(entity))));

/** Tweets at 1, 2, … on a line, and the user at 0. */
function line(): { graph: CutGraph; links: PlainLink[]; owner: number } {
  const graph = new CutGraph();
  graph.put(user(1), [0, 0]);
  for (const [i, entity] of all.entries()) graph.put(entity, [i + 1, 0]);
  graph.relate('likes', [0, 0], 'transe-l1');
  const links = PARTS.map((held, i) => new PlainLink(`http://s${i}`, shardOf([graph.cut[i]!], held)));
  return { graph, links, owner: graph.shardOf(user(1)) };
}

const home = { surface: 'home', user: user(1), k: 10 } as const;
const entitiesOf = ({ items }: { readonly items: readonly { readonly entity: EntityKey }[] }) =>
  items.map(({ entity }) => entity);
const isUp = (merged: Merged, url: string) => merged.shards.reports().find((each) => each.url === url)?.up;
const late = new ShardMissed('late', 'no answer within 1 ms');
const gone = new ShardMissed('unreachable', 'connect ECONNREFUSED');
const others = (owner: number) => [0, 1, 2].filter((i) => i !== owner) as [number, number];

describe('a shard that does not answer', () => {
  it('makes answers partial, and they say which partitions are missing', async () => {
    const { links, owner } = line();
    const [away, left] = others(owner);
    const told: string[] = [];
    let partial = 0;
    const merged = mergedOf(links, {
      missed: (url, reason) => void told.push(`${url} ${reason}`),
      partial: () => void partial++,
    });
    expect(entitiesOf(await merged.candidates(home))).toEqual(all.slice(0, 10));
    links[away]!.failing = gone;
    const answer = await merged.candidates(home);
    expect(entitiesOf(answer)).toEqual(heldBy(owner, left).slice(0, 10));
    expect(answer).toMatchObject({ partial: true, missingPartitions: PARTS[away], fallback: null });
    expect([told, partial]).toEqual([[`http://s${away} unreachable`], 1]);
    const near = heldBy(owner, left)[0]!;
    expect(await merged.similar(near, 5)).toMatchObject({ partial: true, missingPartitions: PARTS[away] });
    const candidates = [...heldBy(away).slice(0, 1), near];
    const ranked = await merged.rank(user(1), 'likes', candidates);
    expect(ranked).toMatchObject({ partial: true, missing: candidates.slice(0, 1) });
    // The best of all that could be compared.
    expect(ranked?.items).toMatchObject([{ entity: near, percentile: 1 }]);
  });

  it('is asked no more after three times, until it says that it is there again', async () => {
    const { links, owner } = line();
    const [away] = others(owner);
    const merged = mergedOf(links);
    await merged.shards.look(1);
    const { asked } = links[away]!;
    links[away]!.failing = gone;
    for (let i = 0; i < 5; i++) expect((await merged.candidates(home)).partial).toBe(true);
    expect(asked.filter((name) => name === 'begin-candidates')).toHaveLength(3);
    expect([merged.shards.unready(), isUp(merged, `http://s${away}`)]).toEqual([[], false]);
    links[away]!.failing = undefined;
    expect((await merged.candidates(home)).partial).toBe(true);
    await merged.shards.look(1);
    expect(await merged.candidates(home)).toMatchObject({ partial: false, missingPartitions: [] });
  });

  it('has answered when it refuses a request, and is asked on', async () => {
    const { links } = line();
    const [link] = links;
    const merged = mergedOf(links);
    await merged.shards.look(1);
    for (const failing of [gone, gone, undefined, gone, gone]) {
      link!.failing = failing;
      link!.before = (name) => {
        if (name === 'begin-candidates')
          throw new ShardRefused('relation: expected one of likes', 'relation');
      };
      expect(await merged.candidates(home)).toMatchObject({ partial: true });
    }
    expect(isUp(merged, link!.url)).toBe(true);
  });

  it('and holds the user, leaves what is popular of what the others hold, without what the user has seen', async () => {
    const { graph, links, owner } = line();
    const rest = heldBy(...others(owner));
    for (const [i, entity] of all.entries())
      for (let by = 0; by < all.length - i; by++) graph.take(edge(user(`fan${by}`), 'likes', entity, T0));
    graph.take(edge(user(1), 'likes', rest[1]!, T0));
    links[owner]!.failing = gone;
    const answer = await mergedOf(links).candidates({ ...home, k: 3 });
    expect(answer).toMatchObject({
      items: [rest[0], rest[2], rest[3]].map((entity) => ({ entity, score: null })),
      ...{ fallback: 'popular', partial: true, missingPartitions: PARTS[owner] },
      filtered: { seen: 1, blocked: 0, excluded: 0, erased: 0, idle: 0 },
    });
    // Nobody can say that the user has no vector.
    expect(await mergedOf(links).rank(user(1), 'likes', [rest[0]!])).toMatchObject({
      items: [],
      partial: true,
    });
    expect(await mergedOf(links).similar(user(1), 3)).toMatchObject({ items: [], partial: true });
  });

  it('in the second step, is left out of the list', async () => {
    const { links, owner } = line();
    const [away, left] = others(owner);
    links[away]!.before = (name) => {
      if (name === 'top' || name === 'ranks') throw gone;
    };
    const answer = await mergedOf(links).candidates(home);
    expect(entitiesOf(answer)).toEqual(heldBy(owner, left).slice(0, 10));
    expect(answer.missingPartitions).toEqual(PARTS[away]);
    const ranked = await mergedOf(links).rank(user(1), 'likes', all.slice(0, 9));
    expect(ranked).toMatchObject({ partial: true, missingPartitions: PARTS[away], missing: [] });
  });

  it("because it refuses the question of another shard's user, is told as broken", async () => {
    const { links, owner } = line();
    const [away] = others(owner);
    const told: string[] = [];
    links[away]!.before = (name) => {
      if (name === 'top') throw new ShardRefused('leftOut: too many', 'leftOut');
    };
    const merged = mergedOf(links, { missed: (url, reason) => void told.push(`${url} ${reason}`) });
    expect(await merged.candidates(home)).toMatchObject({ partial: true, missingPartitions: PARTS[away] });
    expect(told).toEqual([`http://s${away} broken`]);
  });

  it('when it is asked for ranks, makes no entity the best', async () => {
    const { links } = line();
    for (const link of links)
      link.before = (name) => {
        if (name === 'ranks') throw gone;
      };
    const ranks = mergedOf(links).rank(user(1), 'likes', [all[0]!, all[25]!, all[49]!]);
    await expect(ranks).rejects.toMatchObject({ code: 'shards-away' });
  });

  it('when the other holds the ranked entity alone, leaves no rank; the only entity of all is the best', async () => {
    const { graph, links, owner } = line();
    const [mine, ...rest] = heldBy(owner);
    for (const entity of rest) graph.put(entity, null);
    const ranks = () => mergedOf(links).rank(user(1), 'likes', [mine!]);
    for (const i of others(owner)) links[i]!.failing = gone;
    await expect(ranks()).rejects.toMatchObject({ code: 'shards-away' });
    for (const i of others(owner)) {
      links[i]!.failing = undefined;
      for (const entity of heldBy(i)) graph.put(entity, null);
    }
    expect((await ranks())?.items).toMatchObject([{ entity: mine, percentile: 1 }]);
    const whole = await surfacesOf(graph.whole).rank(user(1), 'likes', [mine!]);
    expect(whole?.items).toMatchObject([{ entity: mine, percentile: 1 }]);
  });

  it('is an error only where none answers, and a wrong request is one', async () => {
    const { links } = line();
    const merged = mergedOf(links);
    await expect(merged.candidates({ ...home, relation: 'loves' })).rejects.toMatchObject({
      code: 'relation',
    });
    const refusing = links.map(({ url }) => ({
      url,
      ask: () => Promise.reject(new ShardRefused('relation: expected one of …', 'relation')),
    }));
    await expect(mergedOf(refusing).candidates(home)).rejects.toMatchObject({
      ...{ statusCode: 400, field: 'relation' },
    });
    for (const link of links) link.failing = gone;
    for (const asking of [
      () => merged.candidates(home),
      () => merged.similar(tweet(1), 3),
      () => merged.rank(user(1), 'likes', [tweet(1)]),
    ])
      await expect(asking()).rejects.toMatchObject({ code: 'shards-away' });
    // All of them are away by now, and are asked nevertheless: nobody else could answer.
    links[0]!.failing = undefined;
    expect(await merged.candidates(home)).toMatchObject({ partial: true });
  });

  it('leaves the time for others: what is late is not waited for', async () => {
    const { links } = line();
    let now = 0;
    const waits: number[] = [];
    for (const link of links)
      link.before = (_, timeoutMs) => {
        waits.push(timeoutMs);
        now += 10;
      };
    await mergedOf(links, { deadlineMs: 100, clock: () => now }).candidates(home);
    // Half of the time for who holds the user, and all that is left for the lists.
    expect(waits).toEqual([50, 40, 30, 70, 60, 50]);
    await expect(
      mergedOf(links, { deadlineMs: 25, clock: () => now }).candidates(home),
    ).rejects.toMatchObject({
      code: 'busy',
    });
  });
});

describe('shards of several spaces', () => {
  /** One shard has gone over to another space, in which everything is the other way round. */
  function moved(which: number) {
    const { graph, links, owner } = line();
    const { spaces } = graph.cut[which]!;
    spaces.relate(relationVector('likes', [0, 0], { space: 'b', scorer: 'transe-l1' }));
    for (const entity of [user(1), ...all]) {
      const old = spaces.current?.vectorOf(entity);
      if (old !== undefined) spaces.embed(entity, embedding([-50 + old[0]!, 0], { space: 'b' }));
    }
    expect(spaces.current?.space).toBe('b');
    return { graph, links, owner };
  }

  it('are never mixed: those that hold most partitions answer', async () => {
    const [which] = others(line().owner);
    const { links, owner } = moved(which);
    const answer = await mergedOf(links).candidates(home);
    const rest = [0, 1, 2].filter((i) => i !== which);
    expect(rest).toContain(owner);
    expect(answer).toMatchObject({ space: 'a', partial: true, missingPartitions: PARTS[which] });
    expect(entitiesOf(answer)).toEqual(heldBy(...rest).slice(0, 10));
  });

  it('are told where lists are not whole for that reason', async () => {
    const { links } = moved(1);
    const merged = mergedOf(links);
    await merged.shards.look(1);
    expect(merged.shards.unready()).toEqual([
      'g: no shard that answers holds the partitions 1, 4; the shards serve 2 spaces',
    ]);
  });

  it('are told apart by the model, too, and by the moment of the scan', async () => {
    const { graph, links } = line();
    const [link] = links;
    const of = { graph: 'g', space: 'a', fingerprint: 'other' };
    const question = { ...of, type: 'tweet', entities: [] };
    await expect(link!.shard.answer('vectors', question)).rejects.toThrow(SpaceMoved);
    expect(await link!.shard.answer('vectors', { ...question, fingerprint: 'f' })).toEqual({ vectors: [] });
    expect(graph.cut[0]!.spaces.current?.fingerprint).toBe('f');
  });
});

describe('readiness', () => {
  it('begins when all shards are there, and ends when none is', async () => {
    const { links } = line();
    links[1]!.failing = new ShardMissed('reading', 'not ready: g: 7 % of the vectors are read');
    const merged = mergedOf(links);
    expect(merged.shards.unready()).toHaveLength(3);
    await merged.shards.look(1);
    const missing = 'g: no shard that answers holds the partitions 1, 4';
    expect(merged.shards.unready()).toEqual([
      'http://s1: not ready: g: 7 % of the vectors are read',
      missing,
    ]);
    // Answers are there already.
    expect(await merged.candidates(home)).toMatchObject({ partial: true, missingPartitions: [1, 4] });
    links[1]!.failing = undefined;
    await merged.shards.look(1);
    expect([merged.shards.unready(), merged.shards.lacks()]).toEqual([[], []]);
    for (const link of links.slice(1)) link.failing = gone;
    await merged.shards.look(1);
    expect(merged.shards.unready()).toEqual([]);
    links[0]!.failing = gone;
    await merged.shards.look(1);
    expect(merged.shards.unready()).toHaveLength(3);
  });

  it('asks the second of two shards with the same partitions only while the first is away', async () => {
    const { graph, links } = line();
    const twin = new PlainLink('http://twin', shardOf([graph.cut[1]!], PARTS[1]!));
    const merged = mergedOf([...links, twin]);
    const whole = await surfacesOf(graph.whole).candidates(home);
    for (const failing of [undefined, gone]) {
      links[1]!.failing = failing;
      const answer = await merged.candidates(home);
      expect(answer).toMatchObject({ items: whole.items, partial: false });
    }
    expect(twin.asked).toEqual(['begin-candidates', 'begin-candidates', 'top']);
  });
});

describe('shards that have too much to do', () => {
  const busy = new ShardMissed('busy', '50 requests wait');

  it('make no answer partial: it is whole or refused, and the shards are there', async () => {
    const { links, owner } = line();
    const merged = mergedOf(links);
    await merged.shards.look(1);
    const asking = [
      () => merged.candidates(home),
      () => merged.rank(user(1), 'likes', [tweet(1)]),
      () => merged.similar(user(1), 3),
      () => merged.candidates(home),
    ];
    for (const which of [owner, ...others(owner)]) {
      for (const reason of [busy, late]) {
        links[which]!.before = (name) => {
          if (name !== 'state') throw reason;
        };
        for (const ask of asking) await expect(ask()).rejects.toMatchObject({ code: 'busy' });
        expect(isUp(merged, links[which]!.url)).toBe(true);
      }
      links[which]!.before = () => undefined;
      expect(await merged.candidates(home)).toMatchObject({ fallback: null, partial: false });
    }
    for (const link of links) link.failing = busy;
    for (const ask of asking) await expect(ask()).rejects.toMatchObject({ code: 'busy' });
  });

  it('in the second step, refuse it too', async () => {
    const { links, owner } = line();
    const [away] = others(owner);
    for (const reason of [busy, late]) {
      links[away]!.before = (name) => {
        if (name === 'top' || name === 'ranks') throw reason;
      };
      const merged = mergedOf(links);
      await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'busy' });
      await expect(merged.rank(user(1), 'likes', all.slice(0, 9))).rejects.toMatchObject({ code: 'busy' });
    }
  });

  it('are asked once more, a little later, if there is time', async () => {
    const { links } = line();
    for (const [refusals, deadlineMs, expected] of [
      [1, 1_000, 2],
      [2, 1_000, 2],
      [1, 100, 1],
    ] as const) {
      let left = refusals;
      let asked = 0;
      const pauses: number[] = [];
      links[1]!.before = (name) => {
        if (name !== 'top') return;
        asked++;
        if (left-- > 0) throw busy;
      };
      let now = 0;
      const pause = async (ms: number) => {
        pauses.push(ms);
        now += ms;
      };
      const merged = mergedOf(links, { deadlineMs, clock: () => now, pause, random: () => 0.5 });
      // Half of the time is over when the second step begins.
      links[0]!.before = (name) => {
        if (name === 'begin-candidates') now += deadlineMs / 2;
      };
      const answer = merged.candidates(home);
      if (refusals < expected) expect(await answer).toMatchObject({ partial: false });
      else await expect(answer).rejects.toMatchObject({ code: 'busy' });
      expect([asked, pauses]).toEqual([expected, expected === 2 ? [45] : []]);
    }
  });

  it('are told from one that hangs, which does not even say how it is', async () => {
    const { links, owner } = line();
    const [slow, hung] = others(owner);
    const merged = mergedOf(links);
    await merged.shards.look(1);
    const silence = Promise.withResolvers<void>();
    const answers = new Set<string>();
    for (const which of [slow, hung]) {
      const link = links[which]!;
      const ask = link.ask.bind(link);
      link.ask = async (name, question, timeoutMs) => {
        if (name === 'begin-candidates' && !answers.has(link.url)) throw late;
        if (name === 'state') await silence.promise;
        if (name === 'state' && which === hung) throw late;
        return ask(name, question, timeoutMs);
      };
    }
    for (let i = 0; i < 3; i++) await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'busy' });
    // Each is asked how it is once at a time.
    expect(links[slow]!.asked.filter((name) => name === 'state')).toHaveLength(1);
    expect(merged.shards.reports().map(({ up }) => up)).toEqual([true, true, true]);
    silence.resolve();
    await vi.waitUntil(() => isUp(merged, links[hung]!.url) === false);
    expect(isUp(merged, links[slow]!.url)).toBe(true);
    answers.add(links[slow]!.url);
    expect(await merged.candidates(home)).toMatchObject({ partial: true, missingPartitions: PARTS[hung] });
  });

  it('but are all away, make no answer', async () => {
    const { links } = line();
    const merged = mergedOf(links);
    await merged.shards.look(1);
    for (const link of links) link.failing = late;
    await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'busy' });
    await vi.waitUntil(() => merged.shards.reports().every(({ up }) => !up));
    // They are asked nevertheless: nobody else could answer.
    await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'shards-away' });
  });

  it('are up while they answer anything, however long they take to say how they are', async () => {
    const { links } = line();
    const merged = mergedOf(links);
    await merged.shards.look(1);
    links[0]!.before = (name) => {
      if (name === 'state') throw late;
    };
    const looking = merged.shards.look(1);
    const list = merged.candidates(home);
    await Promise.all([looking, list]);
    expect(isUp(merged, 'http://s0')).toBe(false);
    links[0]!.before = () => undefined;
    await merged.shards.look(1);
    const said = Promise.withResolvers<void>();
    const link = links[0]!;
    const asked = link.ask.bind(link);
    link.ask = async (name, question, timeoutMs) => {
      if (name !== 'state') return asked(name, question, timeoutMs);
      await said.promise;
      throw late;
    };
    const look = merged.shards.look(1);
    await merged.candidates(home);
    said.resolve();
    await look;
    expect(isUp(merged, 'http://s0')).toBe(true);
  });

  it('are asked by as many requests at a time as they can answer, and the others are refused at once', async () => {
    const { links } = line();
    let now = 0;
    const out: { end: number; answer: PromiseWithResolvers<void> }[] = [];
    const held = links.map(
      (link): ShardLink => ({
        url: link.url,
        ask: async (name, question, timeoutMs) => {
          const answer = Promise.withResolvers<void>();
          if (name === 'top') out.push({ end: now + timeoutMs, answer });
          else answer.resolve();
          await answer.promise;
          return link.ask(name, question, timeoutMs);
        },
      }),
    );
    const merged = mergedOf(held, { deadlineMs: 300, clock: () => now });
    const ends: string[] = [];
    const ask = () =>
      merged.candidates(home).then(
        ({ partial }) => void ends.push(partial ? 'partial' : 'whole'),
        (error: unknown) => void ends.push(String(Reflect.get(Object(error), 'code'))),
      );
    const asked = Array.from({ length: 300 }, ask);
    await vi.waitUntil(() => out.length >= 3);
    // The first ones are at the shards, and those who would wait for too long know it.
    expect([out.length, ends.length > 20]).toEqual([3 * 16, true]);
    // Every 10 ms, the shards answer one request.
    while (ends.length < 300) {
      now += 10;
      for (const { answer } of out.splice(0, 3)) answer.resolve();
      while (out.length > 0 && out[0]!.end <= now) out.shift()!.answer.reject(late);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(asked);
    const count = (end: string) => ends.filter((each) => each === end).length;
    expect([count('partial'), count('whole') + count('busy')]).toEqual([0, 300]);
    // Thirty is what they could answer within the deadline at the most.
    expect(count('whole')).toBeGreaterThanOrEqual(20);
    expect(now).toBeLessThanOrEqual(300);
  });
});

describe('what every shard knows', () => {
  it('is told by any that answers: what a user did, and some user', async () => {
    const { graph, links } = line();
    graph.take(edge(user(1), 'likes', tweet(3), T0 + 5));
    graph.take(edge(user(1), 'follows', user(2), T0 + 9));
    const recent = new Users({ graphs: [graph.whole], random: () => 0 }).recentAnswer(user(1), 5);
    expect(recent.items).toHaveLength(2);
    for (const failing of [undefined, gone, late, new ShardMissed('busy', 'busy')]) {
      const merged = mergedOf(links, { random: () => 0.5 });
      for (const link of links.slice(1)) link.failing = failing;
      expect(await merged.recentAnswer(user(1), 5)).toEqual(recent);
      expect(await merged.recentAnswer(user(7), 5)).toEqual({ user: user(7), items: [] });
    }
    // Whichever is asked first: one shard has the only user.
    for (const link of links) link.failing = undefined;
    for (const random of [0, 0.4, 0.8]) {
      expect(await mergedOf(links, { random: () => random }).random()).toBe(user(1));
    }
    graph.put(user(1), null);
    expect(await mergedOf(links).random()).toBeUndefined();
    for (const link of links) link.failing = gone;
    await expect(mergedOf(links).recentAnswer(user(1), 5)).rejects.toMatchObject({ code: 'shards-away' });
    await expect(mergedOf(links).random()).rejects.toMatchObject({ code: 'shards-away' });
  });

  it('and what each holds, is the status of the graph', async () => {
    const { graph, links } = line();
    const twin = new PlainLink('http://twin', shardOf([graph.cut[1]!], PARTS[1]!));
    const merged = mergedOf([...links, twin]);
    expect(merged.shards.status()).toEqual([]);
    await merged.shards.look(1);
    expect(merged.shards.status()).toEqual([statusOf(graph.whole)]);
    expect(statusOf(graph.whole).vectors).toEqual({ user: 1, tweet: TWEETS, ad: 0 });
  });

  it('is read as far as the one that is furthest behind', () => {
    const one = statusOf(line().graph.whole);
    const behind = { ...one, staleSince: 7, eventsAsOf: T0 - 1, read: { vectors: 0.5, events: 0.25 } };
    const ahead = { ...one, space: '', staleSince: 9, step: 8, vectorsAsOf: T0 + 1 };
    expect(statusTogether([ahead, behind, one])).toMatchObject({
      ...{ space: 'a', staleSince: 7, step: 8, vectorsAsOf: T0 + 1, eventsAsOf: 0 },
      ...{ read: { vectors: 0.5, events: 0.25 }, vectors: { tweet: 3 * TWEETS } },
    });
  });
});

it('says since when a shard is away, and since when it is back', async () => {
  const { links } = line();
  let now = T0;
  const merged = mergedOf(links, { now: () => now });
  const [first] = links;
  const report = () => merged.shards.reports()[0];
  expect(report()).toEqual({ url: 'http://s0', up: false, since: T0, reason: 'not asked yet' });
  for (const [failing, at, expected] of [
    [undefined, 1, { up: true, since: T0 + 1 }],
    [undefined, 2, { up: true, since: T0 + 1 }],
    [gone, 3, { up: false, since: T0 + 3, reason: gone.message }],
    [gone, 4, { up: false, since: T0 + 3, reason: gone.message }],
    [undefined, 5, { up: true, since: T0 + 5 }],
  ] as const) {
    first!.failing = failing;
    now = T0 + at;
    await merged.shards.look(1);
    expect(report()).toEqual({ url: 'http://s0', ...expected });
  }
});

it('several interests are refused, and no plain list comes in their place', async () => {
  const { links } = line();
  const merged = mergedOf(links);
  for (const interests of ['mixture', 'medoids'] as const)
    await expect(merged.candidates({ ...home, interests })).rejects.toMatchObject({ code: 'interests' });
  expect(await merged.candidates({ ...home, interests: 'none' })).toMatchObject({ interests: 'none' });
});
