import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { oneReader } from '../../src/adapters/kafka/group/one-reader.ts';
import { KafkaSource } from '../../src/adapters/kafka/group/source.ts';
import { guardRequestQueue } from '../../src/adapters/kafka/guard.ts';
import { Collector, disorder, freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

guardRequestQueue();
const quiet = () => undefined;
const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING });
const admin = kafka.admin();
// Idempotent, or a retry of one partition of a topic just made would send the others twice.
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  await admin.connect();
  await producer.connect();
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  await producer.disconnect();
  await admin.disconnect();
});

const filled = async (count: number, numPartitions = 3): Promise<string> => {
  const topic = freshTopic('fencing');
  await makeTopic(topic, numPartitions);
  await fill(topic, count);
  return topic;
};
const fill = async (topic: string, count: number, from = 0): Promise<void> => {
  const messages = Array.from({ length: count }, (_, n) => ({
    key: `k${(from + n) % 10}`,
    value: String(from + n),
  }));
  await producer.send({ topic, messages });
};
const source = (topic: string, more: object = {}): KafkaSource => {
  const made = new KafkaSource(
    settings,
    { groupId: `g-${topic}`, topics: [topic], sessionTimeoutMs: 6000, ...more },
    quiet,
  );
  stops.push(() => made.stop());
  return made;
};
/** Waits until the group has so many members and no rebalance under way. */
const settled = async (topic: string, members: number): Promise<void> => {
  let seen = -1;
  const look = async () => {
    const [group] = (await admin.describeGroups([`g-${topic}`])).groups;
    seen = group?.state === 'Stable' ? group.members.length : -1;
  };
  for (const deadline = Date.now() + 60_000; seen !== members && Date.now() < deadline; ) await look();
  expect(seen).toBe(members);
};

/** A member that waits for its turn, and that hears only every few seconds of others who join. */
const lateStandby = async (topic: string): Promise<void> => {
  const claim = { owned: null, sequence: 0, standby: true };
  const consumer = kafka.consumer({
    ...{ groupId: `g-${topic}`, heartbeatInterval: 5000, sessionTimeout: 20_000 },
    partitionAssigners: [oneReader(() => claim)],
  });
  stops.push(() => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async () => undefined });
  await settled(topic, 1);
};

/** `reader-process.ts`, with what it said. */
class Other {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor(topic: string, standby = '') {
    const script = new URL('./reader-process.ts', import.meta.url).pathname;
    const args = [script, settings.brokers.join(','), topic, standby];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.lines.push(...text.split('\n').filter((line) => line !== ''));
    });
    stops.push(async () => {
      this.signal('SIGKILL');
    });
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async says(pattern: RegExp): Promise<void> {
    const said = () => this.lines.some((line) => pattern.test(line));
    await until(`the other process to say ${pattern}`, said).catch((error: unknown) => {
      throw new Error(`it said only:\n${this.lines.join('\n')}`, { cause: error });
    });
  }
}

describe('one reader a group', () => {
  test('a second is refused, with who reads; the first goes on', async () => {
    const topic = await filled(100);
    const [one, two] = [new Collector(), new Collector()];
    const first = source(topic);
    await first.start(one);
    const failure = await source(topic)
      .start(two)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'group-in-use' });
    expect(String(failure)).toMatch(
      new RegExp(`group g-${topic} \\(client test at \\S+\\): stop that one first.*--standby`),
    );
    await fill(topic, 100, 100);
    await until('all', () => one.records.length >= 200);
    await first.confirm({ fresh: true });
    expect(disorder(one.records)).toEqual([]);
    expect([one.records.length, two.records.length, one.errors.length]).toEqual([200, 0, 0]);
  });

  test('a standby that joins a reader without room disturbs nothing, and reads on once that one stops', async () => {
    const topic = await filled(3000);
    const positions = new Map<string, number>();
    const [one, two] = [new Collector(positions), new Collector(positions)];
    one.room = () => false;
    const first = source(topic);
    await first.start(one);
    await until('the first chunk', () => one.records.length > 0);
    const held = one.records.length;
    const second = source(topic, { standby: true });
    const order: string[] = [];
    two.room = () => order.push('records') > 0;
    const waiting = second.start(Object.assign(two, { leads: () => order.push('turn') }));
    await settled(topic, 2);
    const late = source(topic, { standby: true });
    late.start(new Collector()).catch(quiet);
    await settled(topic, 3);
    await late.stop();
    await settled(topic, 2);
    await first.confirm({ fresh: true });
    expect([one.records.length, order.length]).toEqual([held, 0]);

    one.room = ({ records }) => records.length < 1500;
    first.resume();
    await until('more', () => one.records.length >= 1500);
    await first.stop();
    await waiting;
    await second.confirm();
    await until('the rest', () => one.records.length + two.records.length >= 3000);
    const all = [...one.records, ...two.records];
    expect(all.length).toBe(3000);
    expect(disorder(all)).toEqual([]);
    expect([order[0], order.filter((one) => one === 'turn').length]).toEqual(['turn', 1]);
    await expect(first.confirm()).rejects.toMatchObject({ code: 'stopped' });
  });

  test('kill -9 of the reader: a standby takes over; started again at once, it waits for its own end', async () => {
    const topic = await filled(100);
    const killed = new Other(topic);
    await killed.says(/started/);
    killed.signal('SIGKILL');
    const again = new Other(topic);
    await again.says(/started/);
    await again.says(/read 100/);

    const reader = new Collector();
    const started = source(topic, { standby: true }).start(reader);
    await settled(topic, 2);
    again.signal('SIGKILL');
    await started;
    await until('all', () => reader.records.length === 100);
  });

  test('one killed while it joined is chosen, and found dead: the next waits for its end, and reads', async () => {
    const topic = await filled(100);
    // Whoever assigns is late to join again, and joins are answered together: those until then wait for it.
    await lateStandby(topic);
    const joining = new Other(topic);
    await joining.says(/joining/);
    await sleep(1000);
    joining.signal('SIGKILL');
    const reader = new Collector();
    await source(topic).start(reader);
    await until('all', () => reader.records.length === 100);
    expect(joining.lines).not.toContain('started');
  });

  test('frozen past its session, with another reading: it ends as fenced, and confirms no more', async () => {
    const topic = await filled(100);
    const frozen = new Other(topic);
    await frozen.says(/read 100/);
    const reader = new Collector();
    const second = source(topic, { standby: true });
    const started = second.start(reader);
    await settled(topic, 2);
    frozen.signal('SIGSTOP');
    await started;
    frozen.signal('SIGCONT');
    await frozen.says(/^failed fenced: .*took over group .* for about ([6-9]|[1-9]\d) s/);
    await frozen.says(/^not confirmed: fenced/);
    await fill(topic, 50, 100);
    await until('all', () => reader.records.length >= 150);
    await second.confirm({ fresh: true });
    expect(frozen.lines.filter((line) => line.startsWith('read 1')).at(-1)).toBe('read 100');
  });

  test('frozen while another read and went: it is fenced as well', async () => {
    const topic = await filled(100);
    const frozen = new Other(topic);
    await frozen.says(/read 100/);
    frozen.signal('SIGSTOP');
    const meanwhile = source(topic);
    await meanwhile.start(new Collector());
    await meanwhile.stop();
    frozen.signal('SIGCONT');
    await frozen.says(/^failed fenced: .* for about ([6-9]|[1-9]\d) s/);
    await frozen.says(/^not confirmed: fenced/);
  });

  test('frozen past its session, with nobody else: it goes on where it stood', async () => {
    const topic = await filled(100);
    const frozen = new Other(topic);
    await frozen.says(/read 100/);
    frozen.signal('SIGSTOP');
    const isEmpty = async () => (await admin.describeGroups([`g-${topic}`])).groups[0]?.members.length === 0;
    while (!(await isEmpty()));
    frozen.signal('SIGCONT');
    await fill(topic, 100, 100);
    await frozen.says(/read 200/);
    expect(frozen.lines.filter((line) => line.startsWith('failed'))).toEqual([]);
  });
});

describe('what a reader leaves with its group', () => {
  const note = { space: 'a-space', epoch: 2, step: 900 };

  test('offsets and note come back, to the next reader as well', async () => {
    const topic = await filled(100, 2);
    const first = source(topic);
    expect(await first.committed()).toEqual({ offsets: {} });
    const reader = new Collector();
    await first.start(reader);
    await until('all', () => reader.records.length === 100);
    expect((await first.committed()).note).toBeUndefined();
    await first.commit({ [topic]: { 0: 3, 1: 4 } }, note);
    await first.commit({ [topic]: { 1: 5 } }, { ...note, step: 950 });
    expect(await first.committed()).toEqual({
      offsets: { [topic]: { 0: 3, 1: 5 } },
      note: { ...note, step: 950 },
    });
    await first.stop();
    await expect(first.committed()).rejects.toMatchObject({ code: 'stopped' });

    const second = source(topic);
    await second.start(new Collector(reader.positions));
    expect(await second.committed()).toEqual({
      offsets: { [topic]: { 0: 3, 1: 5 } },
      note: { ...note, step: 950 },
    });
    // Another run of training, which is not as far: it wrote last.
    await second.commit({ [topic]: { 0: 1 } }, { space: 'b-space', epoch: 1, step: 1 });
    expect((await second.committed()).note).toEqual({ space: 'b-space', epoch: 1, step: 1 });
  });

  test('offsets of a tool that leaves no note of ours are read as they are', async () => {
    const topic = await filled(10, 1);
    await admin.setOffsets({ groupId: `g-${topic}`, topic, partitions: [{ partition: 0, offset: '7' }] });
    expect(await source(topic).committed()).toEqual({ offsets: { [topic]: { 0: 7 } } });
  });

  test('a standby that waits commits nothing', async () => {
    const topic = await filled(10, 1);
    const first = source(topic);
    const reader = new Collector();
    await first.start(reader);
    await first.commit({ [topic]: { 0: 3 } }, note);
    const second = source(topic, { standby: true });
    second.start(new Collector()).catch(quiet);
    await settled(topic, 2);
    await second.commit({ [topic]: { 0: 9 } }, { ...note, space: 'b-space' });
    expect(await first.committed()).toEqual({ offsets: { [topic]: { 0: 3 } }, note });
    const ids = await first.topicIds();
    expect(Object.keys(ids)).toEqual([topic]);
    expect(await second.topicIds()).toEqual(ids);
  });
});
