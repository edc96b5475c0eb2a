import { setTimeout as pause } from 'node:timers/promises';
import type { Sink } from '../src/pipeline/ports.ts';
import { topicName } from '../topics/index.ts';
import type { WorldEvent } from './world.ts';

/** Events a second: what a laptop trains with room to spare, so that latency shows the pipeline and not a backlog. */
export const EVENTS_PER_S = 5_000;
const BATCH = 250;

/** What was sent so far, by topic without the prefix. */
export interface Fed {
  total: number;
  readonly byTopic: Map<string, number>;
}

/** Sends the world's events at an even pace until they end or it is told to stop. */
export async function feedWorld(
  events: Iterable<WorldEvent>,
  sink: Sink,
  prefix: string,
  fed: Fed,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let batch: WorldEvent[] = [];
  const send = async () => {
    const messages = batch.map(({ topic, key, value }) => ({
      topic: topicName(prefix, topic),
      key,
      value,
      headers: {},
    }));
    for (const { topic } of batch) fed.byTopic.set(topic, (fed.byTopic.get(topic) ?? 0) + 1);
    batch = [];
    await sink.publish(messages);
    fed.total += messages.length;
    const ahead = (fed.total / EVENTS_PER_S) * 1000 - (performance.now() - start);
    if (ahead > 0) await pause(ahead);
  };
  for (const event of events) {
    if (signal.aborted) return;
    batch.push(event);
    if (batch.length === BATCH) await send();
  }
  if (batch.length > 0) await send();
}
