import { describe, expect, it } from 'vitest';
import type { EntityKey } from '../../src/graph/entity.ts';
import { SpaceMoved } from '../../src/serve/shard.ts';
import { ShardMissed, ShardRefused } from '../../src/serve/shard-link.ts';
import { edge, embedding, relationVector, surfacesOf, T0, tweet, user } from './serve-fixture.ts';
import { CutGraph, mergedOf, PARTS, PlainLink, partitionOf, shardOf } from './shard-fixture.ts';

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
const late = new ShardMissed('late', 'no answer within 1 ms');
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
    links[away]!.failing = late;
    const answer = await merged.candidates(home);
    expect(entitiesOf(answer)).toEqual(heldBy(owner, left).slice(0, 10));
    expect(answer).toMatchObject({ partial: true, missingPartitions: PARTS[away], fallback: null });
    expect([told, partial]).toEqual([[`http://s${away} late`], 1]);
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
    await merged.look(1);
    const { asked } = links[away]!;
    links[away]!.failing = late;
    for (let i = 0; i < 5; i++) expect((await merged.candidates(home)).partial).toBe(true);
    expect(asked.filter((name) => name === 'begin-candidates')).toHaveLength(3);
    expect([merged.unready(), merged.shards().get(`http://s${away}`)]).toEqual([[], false]);
    links[away]!.failing = undefined;
    expect((await merged.candidates(home)).partial).toBe(true);
    await merged.look(1);
    expect(await merged.candidates(home)).toMatchObject({ partial: false, missingPartitions: [] });
  });

  it('has answered when it refuses a request, and is asked on', async () => {
    const { links } = line();
    const [link] = links;
    const merged = mergedOf(links);
    await merged.look(1);
    for (const failing of [late, late, undefined, late, late]) {
      link!.failing = failing;
      link!.before = (name) => {
        if (name === 'begin-candidates')
          throw new ShardRefused('relation: expected one of likes', 'relation');
      };
      expect(await merged.candidates(home)).toMatchObject({ partial: true });
    }
    expect(merged.shards().get(link!.url)).toBe(true);
  });

  it('and holds the user, leaves what is popular of what the others hold, without what the user has seen', async () => {
    const { graph, links, owner } = line();
    const rest = heldBy(...others(owner));
    for (const [i, entity] of all.entries())
      for (let by = 0; by < all.length - i; by++) graph.take(edge(user(`fan${by}`), 'likes', entity, T0));
    graph.take(edge(user(1), 'likes', rest[1]!, T0));
    links[owner]!.failing = late;
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
      if (name === 'top' || name === 'ranks') throw new ShardMissed('busy', 'busy');
    };
    const answer = await mergedOf(links).candidates(home);
    expect(entitiesOf(answer)).toEqual(heldBy(owner, left).slice(0, 10));
    expect(answer.missingPartitions).toEqual(PARTS[away]);
    const ranked = await mergedOf(links).rank(user(1), 'likes', all.slice(0, 9));
    expect(ranked).toMatchObject({ partial: true, missingPartitions: PARTS[away], missing: [] });
  });

  it('because it is busy, is asked on, and whoever asks for its user is told to come again', async () => {
    const { links, owner } = line();
    const [away] = others(owner);
    const merged = mergedOf(links);
    await merged.look(1);
    let answers = false;
    links[owner]!.before = (name) => {
      if (!answers && name.startsWith('begin')) throw new ShardMissed('busy', '50 requests wait');
    };
    const asking = [
      () => merged.candidates(home),
      () => merged.rank(user(1), 'likes', [tweet(1)]),
      () => merged.similar(user(1), 3),
      () => merged.candidates(home),
    ];
    for (const ask of asking) await expect(ask()).rejects.toMatchObject({ code: 'busy' });
    expect(merged.shards().get(`http://s${owner}`)).toBe(true);
    answers = true;
    expect(await merged.candidates(home)).toMatchObject({ fallback: null, partial: false });
    // Others that are busy are missing, however often.
    links[away]!.failing = new ShardMissed('busy', '50 requests wait');
    for (let i = 0; i < 4; i++)
      expect(await merged.candidates(home)).toMatchObject({ fallback: null, partial: true });
    links[away]!.failing = new ShardMissed('moved', 'serving another space');
    for (let i = 0; i < 4; i++) expect((await merged.candidates(home)).partial).toBe(true);
    expect(merged.shards().get(`http://s${away}`)).toBe(true);
    for (const link of links) link.failing = new ShardMissed('busy', '50 requests wait');
    await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'busy' });
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
        if (name === 'ranks') throw late;
      };
    const ranks = mergedOf(links).rank(user(1), 'likes', [all[0]!, all[25]!, all[49]!]);
    await expect(ranks).rejects.toMatchObject({ code: 'shards-away' });
  });

  it('when the other holds the ranked entity alone, leaves no rank; the only entity of all is the best', async () => {
    const { graph, links, owner } = line();
    const [mine, ...rest] = heldBy(owner);
    for (const entity of rest) graph.put(entity, null);
    const ranks = () => mergedOf(links).rank(user(1), 'likes', [mine!]);
    for (const i of others(owner)) links[i]!.failing = late;
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
    for (const link of links) link.failing = late;
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
    expect(waits).toEqual([50, 50, 50, 70, 70, 70]);
    await expect(
      mergedOf(links, { deadlineMs: 25, clock: () => now }).candidates(home),
    ).rejects.toMatchObject({
      code: 'shards-away',
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
    await merged.look(1);
    expect(merged.unready()).toEqual([
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
    links[1]!.failing = new ShardMissed('busy', 'not ready: g: 7 % of the vectors are read');
    const merged = mergedOf(links);
    expect(merged.unready()).toHaveLength(3);
    await merged.look(1);
    const missing = 'g: no shard that answers holds the partitions 1, 4';
    expect(merged.unready()).toEqual(['http://s1: not ready: g: 7 % of the vectors are read', missing]);
    // Answers are there already.
    expect(await merged.candidates(home)).toMatchObject({ partial: true, missingPartitions: [1, 4] });
    links[1]!.failing = undefined;
    await merged.look(1);
    expect([merged.unready(), merged.lacks()]).toEqual([[], []]);
    for (const link of links.slice(1)) link.failing = late;
    await merged.look(1);
    expect(merged.unready()).toEqual([]);
    links[0]!.failing = late;
    await merged.look(1);
    expect(merged.unready()).toHaveLength(3);
  });

  it('asks the second of two shards with the same partitions only while the first is away', async () => {
    const { graph, links } = line();
    const twin = new PlainLink('http://twin', shardOf([graph.cut[1]!], PARTS[1]!));
    const merged = mergedOf([...links, twin]);
    const whole = await surfacesOf(graph.whole).candidates(home);
    for (const failing of [undefined, late]) {
      links[1]!.failing = failing;
      const answer = await merged.candidates(home);
      expect(answer).toMatchObject({ items: whole.items, partial: false });
    }
    expect(twin.asked).toEqual(['begin-candidates', 'begin-candidates', 'top']);
  });
});

describe('limits', () => {
  it('a request too many is refused at once', async () => {
    const { links } = line();
    const waiting = Promise.withResolvers<never>();
    const merged = mergedOf(links.map(({ url }) => ({ url, ask: () => waiting.promise })));
    const asked = Array.from({ length: 256 }, () => merged.candidates(home));
    await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'busy' });
    waiting.reject(late);
    for (const each of asked) await expect(each).rejects.toMatchObject({ code: 'shards-away' });
    await expect(merged.candidates(home)).rejects.toMatchObject({ code: 'shards-away' });
  });
});
