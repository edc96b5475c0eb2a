import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { KafkaSink } from '../../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import { readTopic } from '../e2e/topic-reader.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, disorder, freshTopic, numbered, numbersOf, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';
import { publishAgain } from './publish-again.ts';

const { kafka, admin } = apart();

const made = async (numPartitions: number, configs: Record<string, string> = {}): Promise<string> => {
  const topic = freshTopic('fenced');
  await makeTopic(topic, numPartitions, configs);
  return topic;
};
const fencedBy = (topic: string, confirm: () => Promise<void>, giveUpMs = 20_000): KafkaSink =>
  new KafkaSink(settings, { giveUpMs, fenced: { topics: [topic], id: `id-${topic}`, confirm } }, quiet);
const sink = (...args: Parameters<typeof fencedBy>): KafkaSink => {
  const one = fencedBy(...args);
  onTestFinished(() => one.stop());
  return one;
};
const yes = async () => undefined;
// A send is one attempt, and a broker makes its topic of transactions for the first that asks for one.
beforeAll(async () => {
  const first = fencedBy(await made(1), yes);
  await first.takeOver();
  await first.stop();
});
/** An independent client (kafkajs) in the middle of a transaction under the same id. */
const inTransaction = async (topic: string, from: number) => {
  const writer = kafka.producer({ transactionalId: `id-${topic}`, maxInFlightRequests: 1 });
  onTestFinished(() => writer.disconnect());
  await writer.connect();
  const transaction = await writer.transaction();
  const send = (at: number) =>
    transaction.send({ topic, messages: [{ key: `k${at}`, value: String(at), partition: 0 }] });
  await send(from);
  return { send, commit: () => transaction.commit() };
};
/** The records that readers of committed records see. */
const valuesOf = async (topic: string) =>
  (await readTopic(inject('brokers'), topic)).map(({ value }) => Number(value)).sort((a, b) => a - b);
/** The markers follow a moment after the broker confirmed the commit, and readers see nothing of the transaction before. */
const ends = (topic: string, offset: number) =>
  expect
    .poll(
      async () => (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0),
      { timeout: 20_000 },
    )
    .toBe(offset);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('one publisher for each topic', () => {
  test('published messages are committed and in order within a key; other topics have no transactions', async () => {
    const [topic, other] = [await made(3), await made(2)];
    const one = sink(topic, yes);
    const sends = [0, 1, 2, 3].map((n) =>
      one.publish([...numbered(topic, 500, 20, n * 500), ...numbered(other, 5, 1, n * 5)]),
    );
    await Promise.all(sends);
    const reader = new Collector();
    const log = new KafkaLog(settings, {}, quiet);
    onTestFinished(() => log.close());
    await log.follow([topic, other], reader);
    await until('all', () => reader.records.length >= 2020);
    const of = (name: string) => reader.records.filter((record) => record.topic === name);
    expect(disorder(of(topic))).toEqual([]);
    expect(numbersOf(of(topic)).sort((a, b) => a - b)).toEqual(upTo(2000));
    expect(disorder(of(other))).toEqual([]);
    // Only the fenced topic's partitions end with markers of transactions.
    expect(await valuesOf(topic)).toEqual(upTo(2000));
    await ends(topic, 2000 + 4 * 3);
    await ends(other, 20);
  });

  test('messages to two fenced topics are one transaction, however their partitions are numbered', async () => {
    const [first, second] = [await made(2), await made(3)];
    const fenced = { topics: [first, second], id: `id-${first}`, confirm: yes };
    const one = new KafkaSink(settings, { giveUpMs: 20_000, fenced }, quiet);
    onTestFinished(() => one.stop());
    // Both topics have partitions 0 and 1: each counts its records for itself.
    for (let n = 0; n < 3; n++)
      await one.publish([...numbered(first, 20, 20, n * 20), ...numbered(second, 30, 30, n * 30)]);
    await one.publish(numbered(second, 5, 5, 90));
    expect(await valuesOf(first)).toEqual(upTo(60));
    expect(await valuesOf(second)).toEqual(upTo(95));
    await ends(first, 60 + 3 * 2);

    // A transaction that fails in one topic is seen in neither.
    const value = new Uint8Array(3_000_000);
    const message = { topic: second, key: 'large', value, headers: {} };
    await expect(one.publish([...numbered(first, 1, 1, 60), message])).rejects.toMatchObject({
      code: 'message-too-large',
    });
    expect(await valuesOf(first)).toEqual(upTo(60));
  });

  test('messages for several requests are one transaction, in order; where one is refused, those on their way are not seen', async () => {
    const topic = await made(3);
    const one = sink(topic, yes);
    const pad = Buffer.alloc(2000, ' ');
    const messages = numbered(topic, 4500, 60).map(({ value, ...rest }) => ({
      ...rest,
      value: Buffer.concat([value ?? pad, pad]),
    }));
    const large = { topic, key: 'k7', value: new Uint8Array(1_500_000), headers: {} };
    await expect(one.publish([...messages.slice(0, -1), large])).rejects.toMatchObject({
      code: 'message-too-large',
    });
    expect(await valuesOf(topic)).toEqual([]);
    await one.publish(messages);
    const reader = new Collector();
    const log = new KafkaLog(settings, {}, quiet);
    onTestFinished(() => log.close());
    await log.follow([topic], reader);
    await until('all', () => reader.records.length >= messages.length);
    expect(disorder(reader.records)).toEqual([]);
    expect(await valuesOf(topic)).toEqual(upTo(messages.length));
  });

  test('the open transaction of an overtaken publisher is never seen, and is refused before the fence is asked', async () => {
    const topic = await made(1);
    const zombie = await inTransaction(topic, 1000);
    const refused: unknown[] = [];
    const one = sink(topic, async () => {
      await zombie.send(1001).catch((error: unknown) => refused.push(error));
      await zombie.commit().catch((error: unknown) => refused.push(error));
    });
    await one.takeOver();
    expect(refused.length).toBe(2);
    await publishAgain(one, numbered(topic, 10, 10));
    expect(await valuesOf(topic)).toEqual(upTo(10));
  });

  test('an overtaken publisher asks the fence and ends as fenced; nothing that it had is seen', async () => {
    const topic = await made(2);
    let asked = 0;
    let mine = true;
    const old = sink(topic, async () => {
      asked++;
      if (!mine) throw new FatalError('fenced', 'another process took over');
    });
    await old.takeOver();
    await publishAgain(old, numbered(topic, 10, 10));
    expect(asked).toBe(1);
    const next = sink(topic, yes);
    await next.takeOver();
    mine = false;
    const late = publishAgain(old, numbered(topic, 10, 10, 500)).catch((error: unknown) => error);
    await publishAgain(next, numbered(topic, 10, 10, 10));
    expect(await late).toMatchObject({ code: 'fenced' });
    await expect(old.takeOver()).rejects.toMatchObject({ code: 'fenced' });
    // The overtaken publisher only asked: the epoch that it raised delays the right publisher, and does nothing else.
    await publishAgain(next, numbered(topic, 10, 10, 20));
    expect(await valuesOf(topic)).toEqual(upTo(30));
  });

  test('the right publisher succeeds after its session was refused, with every message once', async () => {
    const topic = await made(1);
    const right = sink(topic, yes);
    await publishAgain(right, numbered(topic, 10, 10));
    await inTransaction(topic, 1000);
    await publishAgain(right, numbered(topic, 10, 10, 10));
    expect(await valuesOf(topic)).toEqual(upTo(20));
  });

  test('nothing is sent before the fence answers; a stop ends the wait with `stopped`', async () => {
    const topic = await made(1);
    const answer = Promise.withResolvers<void>();
    let asked = false;
    const one = sink(topic, () => {
      asked = true;
      return answer.promise;
    });
    const sent = one.publish(numbered(topic, 10, 10)).catch((error: unknown) => error);
    await until('the question', () => asked);
    expect(await valuesOf(topic)).toEqual([]);
    answer.reject(new RetryableError('stopped', 'leadership is not asked for any more'));
    expect(await sent).toMatchObject({ code: 'stopped' });
    expect(await valuesOf(topic)).toEqual([]);
  });

  test('without a broker, a take-over waits until it is stopped, and a send gives up', async () => {
    const away = { brokers: ['127.0.0.1:1'], clientId: 'test' };
    const one = new KafkaSink(
      away,
      { giveUpMs: 500, fenced: { topics: ['t'], id: 't', confirm: yes } },
      quiet,
    );
    const failure = await one.publish(numbered('t', 1, 1)).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'not-acknowledged',
      message: expect.stringContaining('127.0.0.1:1'),
    });
    const taking = one.takeOver().catch((error: unknown) => error);
    await one.stop();
    expect(await taking).toMatchObject({ code: 'stopped' });
  });
});

describe.each(['fenced', 'plain'])('a %s topic that refuses messages', (kind) => {
  const sinkOf = (topic: string) => sink(kind === 'fenced' ? topic : 'another', yes, 3000);

  test('the error for a message that is too large names its size and the setting to raise; then the message passes', async () => {
    const topic = await made(1);
    const one = sinkOf(topic);
    const message = { topic, key: 'k', value: new Uint8Array(1_500_000), headers: {} };
    const failure = await one.publish([message]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RetryableError);
    expect(failure).toMatchObject({ code: 'message-too-large' });
    expect(String(failure)).toMatch(
      new RegExp(`1500\\d\\d\\d bytes: raise max.message.bytes of topic ${topic}`),
    );
    await one.publish(numbered(topic, 1, 1));
    const configEntries = [{ name: 'max.message.bytes', value: '2000000' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
    // The broker applies the new limit a moment after it accepted the setting.
    await until('the message to go through', () =>
      one.publish([message]).then(
        () => true,
        () => false,
      ),
    );
    expect((await readTopic(inject('brokers'), topic)).map(({ value }) => value?.length)).toEqual([
      1, 1_500_000,
    ]);
  });
});
