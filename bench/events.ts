import { createWorld } from '../demo/world.ts';
import { connect } from '../src/adapters/connect.ts';
import type { GraphConfig } from '../src/config/resolve.ts';
import { UsageError } from '../src/errors/errors.ts';
import { EVENT_TOPICS, readEvent } from '../topics/index.ts';
import { linesOf } from './lines.ts';

/** An event of a topic, by the topic's name in the configuration. */
export interface TopicEvent {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Buffer;
}

/** Which events a bench reads. */
export interface Source {
  /** higgs-activity_time.txt.gz of SNAP; empty: the demo's world instead. */
  readonly higgs: string;
  /** At most so many events. */
  readonly events: number;
}

const SEND = 2_000;
const ACTIONS = new Map([
  ['RT', 'retweet'],
  ['RE', 'reply'],
  ['MT', 'mention'],
]);

/** The events of a source that can be used. */
export function eventsOf({ higgs, events }: Source): AsyncIterable<TopicEvent> {
  return higgs === '' ? worldEvents(events) : higgsEvents(higgs, events);
}

/** The lines `actor target unixSeconds RT|RE|MT` of the SNAP Higgs activity file as engagements. @throws naming another line. */
export async function* higgsEvents(file: string, events: number): AsyncGenerator<TopicEvent> {
  let number = 0;
  for await (const line of linesOf(file)) {
    if (number++ === events) return;
    const [userId = '', tweetId = '', seconds = '', interaction = '', ...rest] = line.trim().split(/\s+/);
    const action = ACTIONS.get(interaction);
    if (action === undefined || rest.length > 0 || !/^\d{1,12}$/.test(seconds))
      throw new UsageError(
        `${file}, line ${number}: expected "actor target unixSeconds RT|RE|MT", seen ${JSON.stringify(line)}`,
      );
    const event = { userId, tweetId, action, at: Number(seconds) * 1000 };
    yield { topic: 'engagement', key: userId, value: Buffer.from(JSON.stringify(event)) };
  }
}

/** So many events of the demo's world, without the records that can't be used. */
async function* worldEvents(events: number): AsyncGenerator<TopicEvent> {
  for (const { topic, key, value } of createWorld({ seed: 1, events }).events) {
    const of = EVENT_TOPICS.find(({ name }) => name === topic);
    if (of === undefined || value === null) continue;
    try {
      readEvent(of, { value, timestamp: Date.now() });
    } catch {
      continue;
    }
    yield { topic, key, value: Buffer.from(value) };
  }
}

/** Sends the events of a graph's topics to a log at `address`, where they are. Gives how many went to each topic, by its full name. */
export async function feed(
  address: string,
  prefix: string,
  { topics }: Pick<GraphConfig, 'topics'>,
  events: AsyncIterable<TopicEvent>,
): Promise<Readonly<Record<string, number>>> {
  const log = await connect({ brokers: [address], clientId: 'bench' });
  const sink = log.sink();
  const records: Record<string, number> = {};
  let batch: Parameters<typeof sink.publish>[0][number][] = [];
  for await (const { topic, key, value } of events) {
    if (!topics.some((each) => each.name === topic)) continue;
    const name = `${prefix}${topic}`;
    records[name] = (records[name] ?? 0) + 1;
    batch.push({ topic: name, key, value, headers: {} });
    if (batch.length < SEND) continue;
    await sink.publish(batch);
    batch = [];
  }
  await sink.publish(batch);
  await sink.stop();
  await log.close();
  return records;
}
