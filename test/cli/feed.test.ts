import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { describeFed, describeFeed, type FeedOptions, feed } from '../../src/cli/feed.ts';
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
    setTimeout(() => stop.abort(), 250);
    expect(await feeding(path, { ratePerS: 20 }, stop)).toBe(false);
    const sent = await recordsOf('twhin.follow');
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(100);
    expect(err[0]).toMatch(/^stopped after line \d+$/);
  });

  test('a missing file, a missing topic or a wrong option is refused before anything is sent', async () => {
    await expect(feeding(join(folder, 'absent'))).rejects.toThrow(UsageError);
    const path = join(folder, 'events.ndjson');
    await writeFile(path, follow(1));
    await expect(feeding(path)).rejects.toThrow(FatalError);
    await expect(feeding(path)).rejects.toThrow(
      /no topic twhin\.follow .*; create it with: twhin topics apply/,
    );
    await expect(feeding(path, { topic: 'nope' })).rejects.toThrow(
      '--topic: expected one of engagement, follow, ad-click, search, erasure, seen "nope"',
    );
    await expect(feeding(path, { format: 'higgs' })).rejects.toThrow(/use --topic engagement/);
  });
});

describe('the progress line', () => {
  const progress = { sent: 2000, bad: 3, line: 2003, bytesRead: 250 };

  test('the share and the remaining time come from the size of the file or from the limit, whichever ends first', () => {
    const unknown = { bytes: undefined, messages: undefined };
    expect(describeFeed(progress, unknown, 4000)).toBe('2,000 sent, 500 events/s, 3 bad');
    expect(describeFeed(progress, { ...unknown, bytes: 1000 }, 4000)).toBe(
      '2,000 sent, 500 events/s, 3 bad, 25 %, 12 s to go',
    );
    expect(describeFeed(progress, { bytes: 1000, messages: 4000 }, 4000)).toContain('50 %, 4.0 s to go');
    expect(describeFeed({ ...progress, bad: 0, bytesRead: 1 }, { ...unknown, bytes: 1000 }, 4000)).toBe(
      '2,000 sent, 500 events/s, 0 %, 67 min to go',
    );
  });

  test('the result names events, topic, time and bad lines', () => {
    expect(describeFed(progress, 't', 2000)).toBe('2,000 events sent to t in 2.0 s (1,000/s); 3 bad lines');
  });
});
