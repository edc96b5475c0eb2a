import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_JARS, ownBroker } from '../kafka/own-broker.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

/** A broker of its own: these tests stop it. */
const own = ownBroker();
const made: Twhin[] = [];

const deployment = async (): Promise<Twhin> => {
  const one = await Twhin.create(own.broker.brokers);
  made.push(one);
  return one;
};
afterAll(async () => {
  for (const one of made) await one.remove();
});

const likes = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...{ userId: n % 10, tweetId: n, action: 'like', at: 1_704_067_200_000 + n },
  }));
const RUN = ['run', '--graph', 'engagement', '--until-caught-up'];

// One outage for all tests here, which the last of them ends: a start of a broker takes more of a machine than a test.
describe.skipIf(NO_JARS)('without a broker', () => {
  let fed: Twhin;
  let bare: Twhin;
  beforeAll(async () => {
    fed = await deployment();
    bare = await deployment();
    await fed.ok(['topics', 'apply']);
    await fed.feed('engagement', likes(500));
    await own.broker.stop();
  });

  test('one-shot commands fail in time and name the address', async () => {
    const events = `${JSON.stringify(likes(1)[0])}\n`;
    const commands = [
      ['topics', 'plan'],
      ['topics', 'apply'],
      ['feed', '-', '--topic', 'engagement'],
    ];
    const ended = await Promise.all(commands.map((args) => fed.end(args, { stdin: events })));
    for (const [i, { code, stdout, stderr }] of ended.entries()) {
      expect({ args: commands[i], code, stdout }).toEqual({ args: commands[i], code: 1, stdout: '' });
      expect(stderr).toContain(own.broker.brokers);
      expect(stderr).toContain('KAFKA_BROKERS');
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });

  test('a run that waits for its brokers ends on a signal, having lost nothing', async () => {
    const runs = [fed.start(RUN), bare.start([...RUN, '--create-topics'])];
    for (const run of runs) {
      await until('an attempt', () => attempts(run.stderr).length >= 1);
      run.kill('SIGTERM');
      expect(await run.ended).toMatchObject({ code: 0, signal: null });
    }
  });

  test('run keeps trying, with --create-topics too, and works once there is one', async () => {
    const began = Date.now();
    const [run, creating] = [fed.start(RUN), bare.start([...RUN, '--create-topics'])];
    await until('three attempts', () => attempts(run.stderr).length >= 3);
    const [first] = attempts(run.stderr);
    expect(new Set(attempts(run.stderr))).toEqual(new Set([first]));
    expect(Date.parse(first ?? '')).toBeGreaterThan(began);
    expect(Date.parse(first ?? '')).toBeLessThan(Date.now());
    await until('two attempts', () => attempts(creating.stderr).length >= 2 || creating.over);
    expect([run.over, creating.over]).toEqual([false, false]);

    await own.broker.restart();
    expect((await run.ended).code).toBe(0);
    const { head, vectors } = await readStore(fed, 'engagement');
    expect(head).toMatchObject({ edges: { likes: 500 }, entities: { user: 10, tweet: 500 }, outbox: 0 });
    expect(
      unlike(vectors, fold(await readTopic(own.broker.brokers, fed.topic('embeddings.engagement')))),
    ).toEqual([]);
    const { code, stderr } = await creating.ended;
    expect({ code, stderr: stderr.slice(-500) }).toMatchObject({ code: 0 });
    expect(await bare.ok(['topics', 'plan'])).toContain('nothing to change');
  });
});

test.skipIf(NO_JARS)('a stop that can’t publish waits; a second signal ends it at once', async () => {
  const twhin = await deployment();
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
  await own.broker.kill();
  feeding.kill('SIGKILL');
  await feeding.ended;

  run.kill('SIGTERM');
  await run.says(/stopping/);
  const tried = attempts(run.stderr).length;
  await until('two more attempts', () => attempts(run.stderr).length >= tried + 2);
  expect(run.over).toBe(false);
  // One that comes within 300 ms of the first is taken for the same, and two attempts can be as fast.
  await until('the end', () => {
    run.kill('SIGTERM');
    return run.over;
  });
  expect(await run.ended).toMatchObject({ code: 143, signal: null });

  await own.broker.restart();
  await twhin.ok(RUN);
  const { head, vectors } = await readStore(twhin, 'engagement');
  expect(head?.events.duplicate).toBe(0);
  expect(head?.edges['likes']).toBe(head?.events.consumed);
  const topic = fold(await readTopic(own.broker.brokers, twhin.topic('embeddings.engagement')));
  expect(unlike(vectors, topic)).toEqual([]);
});

/** The times since when no broker answers, as each attempt's line has it. */
function attempts(stderr: string): string[] {
  const line = new RegExp(
    `(?:no broker answers|topics cannot be created) at (?:Kafka at )?${own.broker.brokers} since (\\S+); trying again`,
    'g',
  );
  return [...stderr.matchAll(line)].map(([, since]) => since ?? '');
}
