import { expect, it, vi } from 'vitest';
import type { EntityKey } from '../../src/graph/entity.ts';
import { Gate } from '../../src/serve/gate.ts';
import { OwnScans } from '../../src/serve/own-scans.ts';
import { Shard } from '../../src/serve/shard.ts';
import type { ShardQuestion, ShardQuestions } from '../../src/serve/shard-questions.ts';
import { SharedPasses } from '../../src/serve/shared-passes.ts';
import { Users } from '../../src/serve/users.ts';
import { graphOf, passes as passesHere, query, surfacesOf, tweet, user } from './serve-fixture.ts';

const outside = {
  users: new Users({ graphs: [], random: () => 0 }),
  status: () => [],
  part: () => undefined,
  edgesOfOne: 10,
};

it('a shard refuses every question that takes time while too many wait', async () => {
  const graph = graphOf();
  graph.put(user(1), [0, 0]);
  graph.put(tweet(1), [1, 0]);
  graph.relate('likes', [0, 0]);
  const rounds: (() => void)[] = [];
  let isHeld = true;
  const passes = new SharedPasses({
    ...{ scans: new OwnScans('wasm-plain'), gate: new Gate(), clock: () => 0 },
    later: (round) => void (isHeld ? rounds.push(round) : setImmediate(round)),
  });
  const surfaces = surfacesOf(graph, { passes });
  const shard = new Shard({ surfaces, passes, ...outside });
  const waiting: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) waiting.push(surfaces.similar(tweet(1), 1).catch(() => undefined));
  const space = { graph: 'g', space: 'a', fingerprint: 'f' };
  const asked = { surface: 'home', user: user(1), k: 1 } as const;
  const asking = { vector: Float64Array.of(0, 0), weight: 1, relation: 'likes', beta: 1 } as const;
  const look = { ...space, type: 'tweet', queries: [{ ...asking, scorer: 'transe-l2-squared' } as const] };
  const questions: Omit<ShardQuestions, 'state' | 'vectors' | 'recent' | 'random-user' | 'searchers'> = {
    'begin-candidates': { asked },
    'begin-similar': { entity: tweet(1) },
    'begin-rank': { user: user(1), relation: 'likes' },
    top: { ...look, leftOut: [], count: 1 },
    popular: { ...space, asked, count: 1, known: false },
    scores: { ...look, entities: [tweet(1)] },
    ranks: { ...look, of: [{ entity: tweet(1), compared: 0 }] },
    'begin-search': { query: query('jazz'), type: 'tweet' },
    'alike-texts': { ...space, trigrams: [['jaz', 1]] },
    'trigram-counts': { ...space, trigrams: ['jaz'] },
    'popular-type': { ...space, type: 'tweet', count: 1, known: false },
  };
  const ask = async <Q extends ShardQuestion>(name: Q, question: ShardQuestions[Q]) =>
    shard.answer(name, question).then(
      () => 'answered',
      (error: unknown) => Reflect.get(Object(error), 'code'),
    );
  const all = Promise.all([
    ask('begin-candidates', questions['begin-candidates']),
    ask('begin-similar', questions['begin-similar']),
    ask('begin-rank', questions['begin-rank']),
    ask('top', questions.top),
    ask('popular', questions.popular),
    ask('scores', questions.scores),
    ask('ranks', questions.ranks),
    ask('begin-search', questions['begin-search']),
    ask('alike-texts', questions['alike-texts']),
    ask('trigram-counts', questions['trigram-counts']),
    ask('popular-type', questions['popular-type']),
  ]);
  isHeld = false;
  for (const round of rounds) round();
  await Promise.all(waiting);
  expect(await all).toEqual(Array(11).fill('busy'));
  // Whoever asks how the shard is does not wait.
  expect(await ask('state', {})).toBe('answered');
});

it('a shard takes no more of what is popular than a list has', async () => {
  const graph = graphOf();
  function* endless(): Iterable<{ entity: EntityKey; score: number }> {
    for (let i = 0; ; i++) yield { entity: tweet(i), score: 0 - i };
  }
  vi.spyOn(graph.activity, 'popular').mockImplementation(endless);
  const passes = passesHere();
  const surfaces = surfacesOf(graph, { passes });
  const shard = new Shard({ surfaces, passes, ...outside });
  const asked = { surface: 'home', user: user(1), k: 2, exclude: [tweet(1)] } as const;
  const question = { graph: 'g', space: '', fingerprint: '', asked, count: 2, known: false };
  const { items } = await shard.answer('popular', question);
  expect(items).toEqual([0, 2].map((id) => ({ entity: tweet(id), score: 0 - id })));
});
