/**
 * Whether the Kafka client keeps memory: one process sends vectors to a broker of its own, in transactions, and follows the
 * topic, while its resident memory is read after a collection. `npx node --expose-gc bench/client-memory.ts [SENDS]`;
 * with `--max-semi-space-size=16`, as the container image has it, the heap's young generation does not grow.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBroker } from '../broker/start.ts';
import { KafkaAdmin } from '../src/adapters/kafka/admin.ts';
import { KafkaSink } from '../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../src/adapters/kafka/reader/log.ts';
import { RetryableError } from '../src/errors/errors.ts';
import type { Message } from '../src/pipeline/ports.ts';

const TOPIC = 'vectors';
const ROWS = 20;
const AGAIN_MS = 200;
const MIB = 1024 * 1024;

const sends = Number(process.argv[2] ?? 20_000);
if (!(sends >= ROWS) || globalThis.gc === undefined)
  throw new Error(`expected --expose-gc and at least ${ROWS} sends, seen ${process.argv[2]}`);
const dir = await mkdtemp(join(tmpdir(), 'twhin-client-memory-'));
const broker = await startBroker({ dir, onProgress: (line) => process.stderr.write(`${line}\n`) });
const settings = { brokers: broker.brokers.split(','), clientId: 'client-memory' };
const quiet = () => undefined;
const admin = new KafkaAdmin(settings);
const fenced = { topics: [TOPIC], id: 'client-memory', confirm: async () => undefined };
const sink = new KafkaSink(settings, { giveUpMs: 20_000, fenced }, quiet);
const log = new KafkaLog(settings, {}, quiet);
try {
  await admin.create([{ name: TOPIC, partitions: 3, configs: {} }]);
  let read = 0;
  await log.follow([TOPIC], {
    position: () => undefined,
    take: ({ records }) => {
      read += records.length;
    },
    failed: (error) => {
      throw error;
    },
  });
  console.log(
    '| sends | records read | RSS, MiB | JS heap, MiB | array buffers, MiB |\n|---:|---:|---:|---:|---:|',
  );
  const vector = Buffer.alloc(512, 7);
  for (let send = 1; send <= sends; send++) {
    const count = 50 + ((send * 7919) % 400);
    await publish(
      Array.from({ length: count }, (_, i) => ({
        topic: TOPIC,
        key: `user:${(send * 31 + i) % 5_000}`,
        value: vector,
        headers: { step: `${send}` },
      })),
    );
    if (send % Math.floor(sends / ROWS) === 0) report(send, read);
  }
} finally {
  await sink.stop();
  await log.close();
  await admin.close();
  await broker.stop();
  await rm(dir, { recursive: true, force: true });
}

function report(send: number, read: number): void {
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  const mib = [rss, heapUsed, arrayBuffers].map((bytes) => Math.round(bytes / MIB));
  console.log(`| ${[send, read, ...mib].join(' | ')} |`);
}

/** Sends as the pipeline does: what can be retried is. */
async function publish(messages: readonly Message[]): Promise<void> {
  for (;;) {
    try {
      return await sink.publish(messages);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
