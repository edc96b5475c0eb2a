import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configOf } from '../../src/config/load.ts';
import { Lookup } from '../../src/watch/lookup.ts';
import { json, own, place } from '../cli/captured.ts';

test('a lookup finds a query as it was typed and says of it what twhin show says; four wait at most', async () => {
  const here = await own(place());
  const at = 1_704_067_200_000;
  const searches = ['u1', 'u2'].map((userId) => ({ userId, query: 'Higgs  boson', at }));
  await writeFile(
    join(here.folder, 'searches.ndjson'),
    searches.map((each) => JSON.stringify(each)).join('\n'),
  );
  for (const argv of [
    ['topics', 'apply'],
    ['feed', join(here.folder, 'searches.ndjson'), '--topic', 'search'],
    ['run', '--graph', 'engagement', '--until-caught-up'],
  ]) {
    expect(await here.run(...argv)).toMatchObject({ code: 0 });
  }
  const env = { KAFKA_BROKERS: 'localhost:1', TWHIN_STATE: join(here.folder, 'state') };
  const graph = configOf({}, env, here.folder).graphs.find(({ name }) => name === 'engagement');
  const { name, folder, model } = graph!;
  const lookup = new Lookup();
  const wrong = lookup.find({ name, folder, model }, 'jazz');
  await expect(wrong).rejects.toThrow(
    expect.objectContaining({ name: 'UsageError', message: expect.stringContaining('TYPE:ID') }),
  );
  const found = await lookup.find({ name, folder, model }, 'query: HIGGS boson ');
  expect(found).toMatchObject({
    entity: 'query:higgs boson',
    edges: { searches: { out: 0, in: 2, some: ['user:u1', 'user:u2'] } },
  });
  const { user = [], ...others } = found?.nearest ?? {};
  expect([user.map(({ entity }) => entity).sort(), others]).toEqual([['user:u1', 'user:u2'], {}]);
  expect(json(await here.run('show', 'query:higgs boson', '--graph', 'engagement', '--json'))).toEqual({
    ...found,
    graph: 'engagement',
    vector: expect.any(Array),
  });
  // Four at a time, one after the other.
  const asked = Array.from({ length: 5 }, () => lookup.find({ name, folder, model }, 'query:jazz'));
  await expect(asked.pop()).rejects.toMatchObject({ code: 'busy' });
  expect(await Promise.all(asked)).toEqual([undefined, undefined, undefined, undefined]);
  expect(await lookup.find({ name, folder, model }, 'query:jazz')).toBeUndefined();
});
