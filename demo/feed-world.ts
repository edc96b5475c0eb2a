import { setTimeout as sleep } from 'node:timers/promises';
import type { Message, Sink } from '../src/pipeline/ports.ts';
import { topicName } from '../topics/index.ts';
import type { WorldEvent } from './world.ts';

export interface FeedOptions {
  readonly events: Iterable<WorldEvent>;
  readonly sink: Sink;
  readonly topicPrefix: string;
  /** Records a second, at most. */
  readonly rate: number;
  /** Ends the feed after the records in hand. */
  readonly signal: AbortSignal;
  /** Called with the records sent so far. */
  readonly onSent: (sent: number, topic: ReadonlyMap<string, number>) => void;
}

const TICK_MS = 100;

/**
 * Sends a world at an even pace, as events come in life: sent at once, they would wait in the log, and the time to a
 * vector would say nothing. Resolves once all are acknowledged.
 */
export async function feedWorld(options: FeedOptions): Promise<void> {
  const { events, sink, topicPrefix, rate, signal, onSent } = options;
  const iterator = events[Symbol.iterator]();
  const byTopic = new Map<string, number>();
  const started = performance.now();
  let sent = 0;
  while (!signal.aborted) {
    const due = Math.ceil(((performance.now() - started + TICK_MS) / 1000) * rate) - sent;
    const messages: Message[] = [];
    while (messages.length < due) {
      const next = iterator.next();
      if (next.done === true) break;
      const topic = topicName(topicPrefix, next.value.topic);
      byTopic.set(next.value.topic, (byTopic.get(next.value.topic) ?? 0) + 1);
      messages.push({ topic, key: next.value.key, value: next.value.value, headers: {} });
    }
    if (messages.length === 0 && due > 0) return;
    await sink.publish(messages);
    sent += messages.length;
    onSent(sent, byTopic);
    const nextTick = started + (sent / rate) * 1000 - TICK_MS;
    await sleep(Math.max(1, nextTick + TICK_MS - performance.now()), undefined, { signal }).catch(
      () => undefined,
    );
  }
}
