import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { json, own, type Place, place, refused, succeeded } from './captured.ts';

let here: Place;
beforeEach(async () => {
  here = await own(place());
  await succeeded(here.run('topics', 'apply'));
});

async function feed(content: string, ...options: string[]) {
  await writeFile(join(here.folder, 'events.ndjson'), content);
  return here.run('feed', join(here.folder, 'events.ndjson'), '--topic', 'follow', ...options);
}

/** Records of the topic on the log. */
async function records(): Promise<number> {
  const brokers = [`file:${join(here.folder, 'log')}`];
  await using connection = await connect({ brokers, clientId: 'test', ssl: false });
  await using log = connection.log();
  return (await log.ranges(['twhin.follow'])).reduce((sum, { high }) => sum + high, 0);
}

const follow = (id: number) => `{"followerId":${id},"followedId":"b","action":"follow","at":1704067200000}\n`;

describe('twhin feed', () => {
  test.each([
    [[], 2],
    [['--raw'], 3],
  ])(
    'sends good lines, reports bad ones by file and line, and sends them too if asked: %j',
    async (options, sent) => {
      const { code, out, err } = await feed(`${follow(1)}nonsense\n${follow(2)}`, ...options);
      expect([code, await records()]).toEqual([0, sent]);
      expect(out).toEqual([expect.stringMatching(/^\d events sent to twhin\.follow in .*; 1 bad line$/)]);
      const path = join(here.folder, 'events.ndjson');
      expect(err).toEqual([`${path}:2: not-json: the value is not JSON: "nonsense"`]);
    },
  );

  test('--json prints one object', async () => {
    const said = await feed(follow(1) + '{}\n'.repeat(30), '--json', '--topic', 'twhin.follow');
    expect(json(said)).toEqual({
      topic: 'twhin.follow',
      sent: 1,
      bad: 30,
      reasons: { 'wrong-shape': 30 },
      line: 31,
      stopped: false,
    });
    expect([said.err.length, said.err.at(-1)]).toEqual([21, '30 bad lines in all: wrong-shape 30']);
  });

  test('a file without a single event is a failure, and an empty file is not', async () => {
    expect((await feed('a\nb\n')).code).toBe(1);
    expect((await feed('')).code).toBe(0);
  });

  test('--limit stops after that many events', async () => {
    await feed([1, 2, 3, 4].map(follow).join(''), '--limit', '3');
    expect(await records()).toBe(3);
  });

  test('a signal stops the feeding, which prints the line that it reached', async () => {
    const looking = setInterval(async () => {
      if ((await records()) === 0) return;
      // A second signal would end the process.
      if (looking.hasRef()) process.emit('SIGINT', 'SIGINT');
      looking.unref();
    }, 50);
    const said = await feed(Array.from({ length: 100 }, (_, id) => follow(id)).join(''), '--rate', '20');
    clearInterval(looking);
    expect([said.code, said.err]).toEqual([1, [expect.stringMatching(/^stopped after line \d+$/)]]);
    const sent = await records();
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(100);
  });

  test('a missing file, a missing topic or a wrong option is refused before anything is sent', async () => {
    const known = /--topic: expected one of twhin\.engagement, .*, twhin\.erasure; seen nope/;
    await refused(feed(follow(1), '--topic', 'nope'), 2, known);
    await refused(here.run('feed', 'absent', '--topic', 'follow'), 2, 'no such file');
    expect(await records()).toBe(0);
    here = await own(place());
    const missing = /no topic twhin\.follow .*; create it with: twhin topics apply/;
    await refused(feed(follow(1)), 1, missing);
  });
});
