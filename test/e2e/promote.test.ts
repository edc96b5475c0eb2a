import { expect, inject, test } from 'vitest';
import { compareEpochs, compareSteps } from '../faults/verifier/compare.ts';
import { deployed, follows } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { until } from './twhin.ts';

test('a promotion under a running updater publishes what differs, loses nothing, and goes back', async () => {
  const here = await deployed();
  const graph = ['--graph', 'follow'];
  await here.ok(['topics', 'apply']);
  await here.feed('follow', follows(0, 300));
  const running = here.start(['run', ...graph]);
  const rests = (store: string, events: number) =>
    until(`${events} events in ${store}, all published`, async () => {
      const { head } = await readStore(here, 'follow', true, store);
      return head?.events.consumed === events && head.outbox === 0;
    });
  await rests('main', 300);
  const replay = ['replay', ...graph, '--into', 'shadow', '--set', 'dim=8'];
  expect(await here.json(replay)).toMatchObject({ events: 300 });
  await here.feed('follow', follows(300, 100));
  // The same command goes on to the present end of the topic, and has nothing to do after that.
  expect(await here.json(replay)).toMatchObject({ events: 400, edges: { follows: 400 } });
  expect((await here.end(replay)).stderr).toMatch(/shadow was finished at .*; nothing was read again/);
  await here.feed('follow', follows(400, 50));

  const promote = (...args: string[]) => here.json(['promote', ...args, ...graph]);
  const promoted = (store: string, previous: string, behind: number) => ({
    graph: 'follow',
    store,
    stores: [{ graph: 'follow', previous, behind }],
    elsewhere: [],
  });
  expect(await promote('shadow')).toEqual(promoted('shadow', 'main', 50));
  await rests('shadow', 450);
  const back = await promote('--rollback');
  expect(back).toMatchObject({ store: 'main', stores: [{ previous: 'shadow' }] });
  await here.feed('follow', follows(450, 50));
  await rests('main', 500);
  await running.stop();

  const stored = await readStore(here, 'follow');
  expect(stored.edges).toHaveLength(500);
  expect(stored.vectors.get('user:u0')).toHaveLength(16 * 4);
  const records = await readTopic(inject('brokers'), here.topic('embeddings.follow'));
  expect(unlike(stored.vectors, fold(records))).toEqual([]);
  expect([...compareSteps(records), ...compareEpochs(records)]).toEqual([]);
  expect(new Set(records.map(({ headers }) => headers['dim']))).toEqual(new Set(['16', '8']));
  expect(new Set(records.map(({ headers }) => headers['epoch'])).size).toBe(3);
});
