import { cpSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { json, own, type Place, place, refused, succeeded } from './captured.ts';

let at: Place;
const names = (text: string[]) => text.join('\n');

/** Likes within four circles, so that there is something to learn. */
async function likes(from: number, until: number): Promise<string> {
  const file = join(at.folder, `likes-${from}.ndjson`);
  const random = Random.seeded(from);
  const events = Array.from({ length: until - from }, (_, i) => {
    const userId = random.below(100);
    const tweetId = random.below(25) * 4 + (userId % 4);
    return { userId: `${userId}`, tweetId: `${tweetId}`, action: 'like', at: 1e12 + from + i };
  });
  await writeFile(
    file,
    events.map((event) => `${JSON.stringify(event)}\n`),
  );
  return file;
}

beforeAll(async () => {
  at = await place();
  await writeFile(
    join(at.folder, 'twhin.config.ts'),
    'export default { model: { dim: 8 }, training: { kernel: "reference", updatesPerEdge: 1 } };\n',
  );
  await at.run('topics', 'apply');
  await at.run('feed', await likes(0, 600), '--topic', 'engagement');
  await at.run('run', '--graph', 'engagement', '--until-caught-up');
  const state = join(at.folder, 'state', 'engagement');
  cpSync(join(state, 'db'), join(state, 'stores', 'early', 'db'), { recursive: true });
  await at.run('feed', await likes(600, 1800), '--topic', 'engagement');
  await at.run('run', '--graph', 'engagement', '--until-caught-up');
});
afterAll(() => at.remove());

test('reports that no event is left to rank if one store has read all', async () => {
  const said = await at.run('compare', 'early', 'live', '--graph', 'engagement');
  expect(said).toMatchObject({ code: 0, err: [] });
  const text = names(said.out);
  expect(text).toMatch(/^engagement: A is early, B is main \(live\)\n/);
  expect(text).toMatch(/ {2}events read +600 +1,800\n/);
  expect(text).toContain(
    'quality: not compared, because there is no event that neither store has read. Replay both with the same --until, which holds later events back, or add --wait 5m while events arrive.',
  );
  expect(said.out.at(-1)).toBe('Which is better can not be told: no new edge was ranked.');
});

test('ranks events that neither store has read, and prints one JSON object', async () => {
  await at.run('feed', await likes(1800, 2400), '--topic', 'engagement');
  const said = await at.run('compare', 'early', 'main', '--json', '--events', '400');
  expect(json(said)).toMatchObject({
    graph: 'engagement',
    a: { name: 'early', live: false, events: 600, dim: 8, scorer: 'transe-l2' },
    b: { name: 'main', live: true, events: 1800 },
    models: [],
    held: { records: 400 },
  });
  const table = await at.run('compare', 'early', 'main', '--wait', '1s', '--events', '100000');
  expect(names(table.out)).toMatch(/quality on \d+ new edges of 600 events that neither has read/);
  expect(table.out.at(-1)).toMatch(
    /MRR 0\.\d{3} against 0\.\d{3}, [+-]0\.\d{4} ± 0\.\d{4} \(standard error; \d+ edges\)\.$/,
  );
});

test('compares without quality if the log is out of reach', async () => {
  const said = await at.run('compare', 'main', 'early', '--json');
  expect(json(said)).not.toMatchObject({ held: { problem: expect.anything() } });
  const none = await own(place({ TWHIN_STATE: join(at.folder, 'state') }));
  const away = await none.run('compare', 'main', 'early', '--json');
  expect(json(away)).toMatchObject({
    held: { records: 0, edges: 0, problem: expect.stringMatching(/engagement/) },
    better: null,
  });
  expect(names((await none.run('compare', 'main', 'early')).out)).toMatch(
    /quality: not compared, because the events that neither store has read cannot be read: .*engagement/,
  );
});

test('says which of two replays is better on events that both held back, and that equal ones are not', async () => {
  const replay = ['replay', '--graph', 'engagement', '--into'];
  await succeeded(at.run(...replay, 'good'));
  await succeeded(at.run(...replay, 'again'));
  await succeeded(at.run(...replay, 'poor', '--set', 'learningRate=0.00001'));
  await at.run('feed', await likes(2400, 3000), '--topic', 'engagement');
  const compared = async (b: string) => json(await at.run('compare', 'good', b, '--json'));
  expect(await compared('poor')).toMatchObject({ better: 'A', held: { records: 600 } });
  expect(await compared('again')).toMatchObject({
    better: null,
    quality: { difference: { mrr: 0, standardError: 0 } },
  });
});

test('refuses a missing store and lists the existing stores', async () => {
  await refused(
    at.run('compare', 'live', 'shadow', '--graph', 'engagement'),
    2,
    'twhin: no graph has the stores live and shadow:\n' +
      `  engagement has main (live), again, early, good, poor in ${join(at.folder, 'state', 'engagement')}\n` +
      'twhin replay --into NAME makes one',
  );
  await refused(
    at.run('compare', 'live', 'shadow'),
    2,
    /^ {2}engagement has main \(live\), .*\n {2}follow has none yet in .*$/m,
  );
  expect((await at.run('compare', 'live', 'BAD/NAME')).code).toBe(2);
  expect((await at.run('compare', 'live', 'early', '--wait', 'soon')).code).toBe(2);
});

test('asks for the graph if several graphs have both stores', async () => {
  await at.run('run', '--graph', 'follow', '--until-caught-up');
  await refused(
    at.run('compare', 'live', 'main'),
    2,
    'twhin: engagement and follow have the stores live and main; say which graph with --graph',
  );
});
