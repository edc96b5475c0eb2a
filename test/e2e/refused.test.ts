import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { deployed } from './deployed.ts';
import { readStore } from './stored.ts';
import { type Twhin, until } from './twhin.ts';

const RUN = ['run', '--graph', 'engagement', '--until-caught-up'];
let twhin: Twhin;

beforeEach(async () => {
  twhin = await deployed();
});

const likes = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...{ userId: n % 10, tweetId: from + n, action: 'like', at: 1_704_067_200_000 + n },
  }));

describe('what a run refuses', () => {
  test('missing topics: it names them and the command, and makes them when asked', async () => {
    const refused = await twhin.end(RUN);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    for (const topic of ['engagement', 'ad-click', 'search', 'erasure']) {
      expect(refused.stderr).toContain(twhin.topic(topic));
    }
    expect(refused.stderr).toContain('twhin topics apply');
    await twhin.ok([...RUN, '--create-topics']);
    expect(await twhin.ok(['topics', 'plan'])).toContain('nothing to change');
  });

  test('a second process on one store: it names the holder, and the first goes on', async () => {
    await twhin.ok(['topics', 'apply']);
    const first = twhin.start(['run', '--graph', 'engagement']);
    await first.says(/store is new/);
    const second = await twhin.end(RUN);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toContain(`process ${first.pid} `);
    expect(second.stderr).toContain(join(twhin.folder, 'state', 'engagement'));
    // The other graph is another store.
    await twhin.ok(['run', '--graph', 'follow', '--until-caught-up']);

    await twhin.feed('engagement', likes(0, 200));
    const consumed = async () => (await readStore(twhin, 'engagement', true)).head?.events.consumed;
    await until('the first one consumed them', async () => (await consumed()) === 200);
    await first.stop();
    await twhin.ok(RUN);
  });
});
