import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../broker/start.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

/** A broker of its own: these tests stop it. */
let broker: Broker;
let folder: string;
let twhin: Twhin;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-no-broker-'));
  broker = await startBroker({ dir: folder, env: { ...process.env, KAFKA_BROKERS: '' } });
});
afterAll(async () => {
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  twhin = await Twhin.create(broker.brokers);
});
afterEach(() => twhin.remove());

const likes = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...{ userId: n % 10, tweetId: n, action: 'like', at: 1_704_067_200_000 + n },
  }));
const RUN = ['run', '--graph', 'engagement', '--until-caught-up'];

describe('without a broker', () => {
  test('one-shot commands fail in time and name the address; run keeps trying and works once there is one', async () => {
    await twhin.ok(['topics', 'apply']);
    await twhin.feed('engagement', likes(500));
    await broker.stop();

    const events = `${JSON.stringify(likes(1)[0])}\n`;
    const commands = [
      ['topics', 'plan'],
      ['topics', 'apply'],
      ['feed', '-', '--topic', 'engagement'],
    ];
    const asked = Date.now();
    const ended = await Promise.all(commands.map((args) => twhin.end(args, { stdin: events })));
    // Each gives up after half a minute; the rest is a busy machine's.
    expect(Date.now() - asked).toBeLessThan(60_000);
    for (const [i, { code, stdout, stderr }] of ended.entries()) {
      expect({ args: commands[i], code, stdout }).toEqual({ args: commands[i], code: 1, stdout: '' });
      expect(stderr).toContain(broker.brokers);
      expect(stderr).toContain('KAFKA_BROKERS');
      expect(stderr).not.toMatch(/\n\s+at /);
    }

    const began = Date.now();
    const run = twhin.start(RUN);
    await until('three attempts', () => attempts(run.stderr).length >= 3);
    const [first] = attempts(run.stderr);
    expect(new Set(attempts(run.stderr))).toEqual(new Set([first]));
    expect(Date.parse(first ?? '')).toBeGreaterThan(began);
    expect(Date.parse(first ?? '')).toBeLessThan(Date.now());
    expect(run.over).toBe(false);

    await broker.restart();
    expect((await run.ended).code).toBe(0);
    const { head, vectors } = await readStore(twhin, 'engagement');
    expect(head).toMatchObject({ edges: { likes: 500 }, entities: { user: 10, tweet: 500 }, outbox: 0 });
    expect(
      unlike(vectors, fold(await readTopic(broker.brokers, twhin.topic('embeddings.engagement')))),
    ).toEqual([]);
  });

  test('a run that waits for its brokers ends on a signal, having lost nothing', async () => {
    await broker.stop();
    for (const args of [RUN, [...RUN, '--create-topics']]) {
      const run = twhin.start(args);
      await until('an attempt', () => attempts(run.stderr).length >= 1);
      const asked = Date.now();
      run.kill('SIGTERM');
      expect(await run.ended).toMatchObject({ code: 0, signal: null });
      expect(Date.now() - asked).toBeLessThan(30_000);
    }
    await broker.restart();
  });

  test('run --create-topics keeps trying too', async () => {
    await broker.stop();
    const run = twhin.start([...RUN, '--create-topics']);
    await until('two attempts', () => attempts(run.stderr).length >= 2 || run.over);
    expect(run.over).toBe(false);
    await broker.restart();
    const { code, stderr } = await run.ended;
    expect({ code, stderr: stderr.slice(-500) }).toMatchObject({ code: 0 });
    expect(await twhin.ok(['topics', 'plan'])).toContain('as declared');
  });

  test('a stop that can’t publish waits; a second signal ends it at once', async () => {
    await twhin.ok(['topics', 'apply']);
    const run = twhin.start(['run', '--graph', 'engagement']);
    await run.says(/store is new/);
    const feeding = twhin.start(['feed', '-', '--topic', 'engagement', '--rate', '200'], {
      stdin: likes(20_000)
        .map((event) => JSON.stringify(event))
        .join('\n'),
    });
    const consumed = async () => (await readStore(twhin, 'engagement', true)).head?.events.consumed ?? 0;
    await until('events consumed', async () => (await consumed()) > 100);
    await broker.kill();
    feeding.kill('SIGKILL');
    await feeding.ended;

    run.kill('SIGTERM');
    await run.says(/stopping/);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(run.over).toBe(false);
    run.kill('SIGTERM');
    const asked = Date.now();
    expect(await run.ended).toMatchObject({ code: 1, signal: null });
    expect(Date.now() - asked).toBeLessThan(10_000);

    await broker.restart();
    await twhin.ok(RUN);
    const { head, vectors } = await readStore(twhin, 'engagement');
    expect(head?.events.duplicate).toBe(0);
    expect(head?.edges['likes']).toBe(head?.events.consumed);
    const topic = fold(await readTopic(broker.brokers, twhin.topic('embeddings.engagement')));
    expect(unlike(vectors, topic)).toEqual([]);
  });
});

/** The times since when no broker answers, as each attempt's line has it. */
function attempts(stderr: string): string[] {
  const line = new RegExp(
    `(?:no broker answers|topics cannot be created) at (?:Kafka at )?${broker.brokers} since (\\S+); trying again`,
    'g',
  );
  return [...stderr.matchAll(line)].map(([, since]) => since ?? '');
}
