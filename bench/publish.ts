import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stdout } from 'node:process';
import { startBroker } from '../broker/start.ts';
import { connect } from '../src/adapters/connect.ts';

/**
 * Messages a second that a sink publishes to a plain topic and to one that it is the only publisher of, taken turn
 * about in one run. Usage: node bench/publish.ts [sends]
 */
const SENDS = Number(process.argv[2] ?? 100);
const [MESSAGES, BYTES, PARTITIONS] = [2000, 512, 4];

const dir = await mkdtemp(join(tmpdir(), 'twhin-bench-'));
const broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
const log = await connect({ brokers: [broker.brokers], clientId: 'bench' });
await log.admin().create(['plain', 'fenced'].map((name) => ({ name, partitions: PARTITIONS, configs: {} })));
const sink = log.sink({ fenced: { topics: ['fenced'], id: 'fenced', confirm: async () => undefined } });
const value = new Uint8Array(BYTES);
const messages = (topic: string) =>
  Array.from({ length: MESSAGES }, (_, n) => ({ topic, key: `user:${n}`, value, headers: { step: '1' } }));
const times: Record<string, number[]> = { plain: [], fenced: [] };
const lists = { plain: messages('plain'), fenced: messages('fenced') };
for (let send = -10; send < SENDS; send++) {
  for (const [topic, list] of Object.entries(lists)) {
    const begun = performance.now();
    await sink.publish(list);
    // The first few warm up.
    if (send >= 0) times[topic]?.push(performance.now() - begun);
  }
}
for (const [topic, ms] of Object.entries(times)) {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1);
  const perS = (MESSAGES * SENDS * 1000) / ms.reduce((sum, one) => sum + one, 0);
  stdout.write(
    `${topic}: ${Math.round(perS)} messages/s; a send ${at(0.5)} ms at p50, ${at(0.99)} ms at p99\n`,
  );
}
await sink.stop();
await log.close();
await broker.stop();
await rm(dir, { recursive: true, force: true });
