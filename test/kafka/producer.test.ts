import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Brokers, type Metadata } from '../../src/adapters/kafka/brokers.ts';
import { Producer } from '../../src/adapters/kafka/producer/producer.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import { quiet, settings } from './apart.ts';
import { Collector, disorder, freshTopic, numbered, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

/** Answers the first question about topics last. */
class Reversing extends Brokers {
  #asked = 0;

  override async metadata(topics: readonly string[] | null): Promise<Metadata> {
    const late = Math.max(0, 200 - 50 * this.#asked++);
    const metadata = await super.metadata(topics);
    await sleep(late);
    return metadata;
  }
}

/** Fails the first question about topics. */
class Failing extends Brokers {
  #asked = 0;

  override async metadata(topics: readonly string[] | null): Promise<Metadata> {
    if (this.#asked++ === 0) throw new RetryableError('broker-unreachable', 'nobody answers');
    return super.metadata(topics);
  }
}

test.each([
  ['is answered last', Reversing],
  ['fails', Failing],
])('concurrent sends keep their order where the first question about the topic %s', async (_, Kind) => {
  const topic = freshTopic('producer');
  await makeTopic(topic, 1);
  const producer = new Producer([topic], {
    settings,
    brokers: new Kind(settings),
    log: quiet,
    giveUpMs: 10_000,
    stopping: new AbortController().signal,
  });
  const sends = [0, 1, 2, 3].map((n) => producer.send(numbered(topic, 5, 1, n * 5)));
  // A close waits for the sends, those that still look up their partitions included.
  await producer.close();
  await Promise.all(sends);
  const collector = new Collector();
  const log = new KafkaLog(settings, {}, quiet);
  await log.follow([topic], collector);
  await until('20 records', () => collector.records.length >= 20);
  await log.close();
  expect(disorder(collector.records)).toEqual([]);
});
