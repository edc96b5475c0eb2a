import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { type FeedOptions, feed } from '../../src/cli/feed.ts';
import type { Output } from '../../src/cli/output.ts';
import { declaredTopics } from '../../src/config/declared-topics.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/resolve.ts';
import { FatalError, UsageError } from '../../src/errors/errors.ts';
import { applyTopics, planTopics } from '../../src/pipeline/topic-plan.ts';

let folder: string;
let config: Config;
let out: string[];
let err: string[];
const output: Output = {
  out: (line) => out.push(line),
  err: (line) => err.push(line),
  status: () => undefined,
  statusDone: () => undefined,
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'feed-'));
  config = await loadConfig(
    { KAFKA_BROKERS: `file:${join(folder, 'log')}`, TWHIN_STATE: join(folder, 'state') },
    folder,
  );
  out = [];
  err = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function prepared(content: string, name = 'events.ndjson'): Promise<string> {
  const connection = await connect(config.kafka);
  await applyTopics(connection.admin(), planTopics(declaredTopics(config), []));
  await connection.close();
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const feeding = (
  file: string,
  options: Partial<FeedOptions> = {},
  { signal: stopping } = new AbortController(),
) =>
  feed(
    config,
    { file, topic: 'follow', raw: false, json: false, ...options },
    { ask: (question) => question, connect: ({ kafka }) => connect(kafka), output, stopping },
  );

/** Records of a topic on the log. */
async function recordsOf(topic: string): Promise<number> {
  const connection = await connect(config.kafka);
  const log = connection.log();
  const ranges = await log.ranges([topic]);
  await log.close();
  await connection.close();
  return ranges.reduce((sum, { high }) => sum + high, 0);
}

const follow = (id: number) => `{"followerId":${id},"followedId":"b","action":"follow","at":1704067200000}\n`;

describe('twhin feed', () => {
  test('sends good lines and reports bad ones by file and line', async () => {
    const path = await prepared(`${follow(1)}nonsense\n${follow(2)}`);
    expect(await feeding(path)).toBe(true);
    expect(await recordsOf('twhin.follow')).toBe(2);
    expect(out).toHaveLength(1);
    expect(out[0]).toMatch(/^2 events sent to twhin\.follow in .*; 1 bad line$/);
    expect(err).toEqual([`${path}:2: not-json: the value is not JSON: "nonsense"`]);
  });

  test('--raw sends bad lines too', async () => {
    expect(await feeding(await prepared(`${follow(1)}nonsense\n`), { raw: true })).toBe(true);
    expect(await recordsOf('twhin.follow')).toBe(2);
    expect(err).toHaveLength(1);
  });

  test('--json prints one object', async () => {
    const path = await prepared(follow(1) + '{}\n'.repeat(30));
    await feeding(path, { json: true, topic: 'twhin.follow' });
    expect(out.map((line) => JSON.parse(line))).toEqual([
      { topic: 'twhin.follow', sent: 1, bad: 30, reasons: { 'wrong-shape': 30 }, line: 31, stopped: false },
    ]);
    expect(err).toHaveLength(21);
    expect(err.at(-1)).toBe('30 bad lines in all: wrong-shape 30');
  });

  test('a file without a single event is a failure, and an empty file is not', async () => {
    expect(await feeding(await prepared('a\nb\n'))).toBe(false);
    expect(await feeding(await prepared(''))).toBe(true);
  });

  test('--limit stops after that many events', async () => {
    const path = await prepared([1, 2, 3, 4].map(follow).join(''));
    await feeding(path, { limit: 3 });
    expect(await recordsOf('twhin.follow')).toBe(3);
  });

  test('a signal stops the feeding, which prints the line that it reached', async () => {
    const path = await prepared(Array.from({ length: 100 }, (_, id) => follow(id)).join(''));
    const stop = new AbortController();
    const looking = setInterval(async () => {
      if ((await recordsOf('twhin.follow')) > 0) stop.abort();
    }, 50);
    expect(await feeding(path, { ratePerS: 20 }, stop)).toBe(false);
    clearInterval(looking);
    const sent = await recordsOf('twhin.follow');
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(100);
    expect(err[0]).toMatch(/^stopped after line \d+$/);
  });

  test('a missing file, a missing topic or a wrong option is refused before anything is sent', async () => {
    const path = join(folder, 'events.ndjson');
    await writeFile(path, follow(1));
    await expect(feeding(path)).rejects.toThrow(FatalError);
    await expect(feeding(path)).rejects.toThrow(
      /no topic twhin\.follow .*; create it with: twhin topics apply/,
    );
    await expect(feeding(path, { topic: 'nope' })).rejects.toThrow(
      '--topic: expected one of engagement, follow, ad-click, search, erasure, seen "nope"',
    );
    await prepared('');
    await expect(feeding(join(folder, 'absent'))).rejects.toThrow(UsageError);
  });
});
