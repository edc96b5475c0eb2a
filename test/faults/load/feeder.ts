import { setTimeout as sleep } from 'node:timers/promises';
import { Partitioners, type Producer } from 'kafkajs';
import { client } from '../../e2e/topic-ends.ts';
import type { Load, LoadRecord } from './load.ts';

const TICK_MS = 50;
const RETRY_MS = 200;

/**
 * Sends a load at a rate through brokers that may fail, and remembers what was acknowledged. One partition a request,
 * in order within it, again until acknowledged: a record can come twice, never too late.
 */
export class Feeder {
  /** Everything made so far, by number. */
  readonly made: LoadRecord[] = [];
  /** Numbers of the records a broker said it has. */
  readonly acknowledged = new Set<number>();
  /** Requests that failed and were made again. */
  retries = 0;
  readonly #brokers: string;
  readonly #prefix: string;
  readonly #load: Load;
  readonly #queues = new Map<string, LoadRecord[]>();
  readonly #partitions = new Map<string, number>();
  readonly #sending = new Map<string, Promise<void>>();
  #producer: Promise<Producer> | undefined;
  #loop: Promise<void> | undefined;
  #stopping = false;

  constructor(brokers: string, prefix: string, load: Load) {
    this.#brokers = brokers;
    this.#prefix = prefix;
    this.#load = load;
  }

  /** How many partitions of the topic (4 unless said) its next records are spread over. */
  spreadOver(topic: string, partitions: number): void {
    this.#partitions.set(topic, partitions);
  }

  /** Sends `count` records as fast as it goes. */
  send(count: number): Promise<void> {
    return this.sendAll(this.#load.take(count));
  }

  /** Sends records made already, as fast as it goes. */
  async sendAll(records: readonly LoadRecord[]): Promise<void> {
    for (const record of records) this.#put(record);
    await this.#flush();
  }

  /** The number of the next record. */
  get next(): number {
    return this.made.length;
  }

  /** Takes a record that went out another way for one of its own. */
  remember(record: LoadRecord): void {
    this.made[record.n] = record;
    this.acknowledged.add(record.n);
  }

  /** Goes on by itself until `stop`. */
  start(ratePerS: number): void {
    this.#stopping = false;
    this.#loop = this.#run(ratePerS);
  }

  /** Resolves once all that was made is acknowledged. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#loop;
    await this.#flush();
  }

  /** Lets go of the connection. */
  async close(): Promise<void> {
    this.#stopping = true;
    await this.#loop;
    const last = this.#producer;
    this.#producer = undefined;
    await (await last?.catch(() => undefined))?.disconnect();
  }

  async #run(ratePerS: number): Promise<void> {
    const began = Date.now();
    let made = 0;
    while (!this.#stopping) {
      const due = Math.floor(((Date.now() - began) * ratePerS) / 1000);
      for (; made < due; made++) this.#put(this.#load.next());
      this.#kick();
      await sleep(TICK_MS);
    }
  }

  #put(made: LoadRecord): void {
    const record = { ...made, n: this.next };
    this.made.push(record);
    const partition = hash(record.key) % (this.#partitions.get(record.topic) ?? 4);
    const place = `${record.topic}/${partition}`;
    const queue = this.#queues.get(place);
    if (queue) queue.push(record);
    else this.#queues.set(place, [record]);
  }

  #kick(): void {
    for (const place of this.#queues.keys()) {
      if (this.#sending.has(place)) continue;
      const sending = this.#drain(place).finally(() => this.#sending.delete(place));
      this.#sending.set(place, sending);
    }
  }

  async #flush(): Promise<void> {
    for (;;) {
      this.#kick();
      if (this.#sending.size === 0) return;
      await Promise.all(this.#sending.values());
    }
  }

  async #drain(place: string): Promise<void> {
    const [topic = '', partition] = place.split('/');
    for (;;) {
      const records = this.#queues.get(place)?.splice(0, 500) ?? [];
      if (records.length === 0) {
        this.#queues.delete(place);
        return;
      }
      await this.#deliver(topic, Number(partition), records);
    }
  }

  async #deliver(topic: string, partition: number, records: readonly LoadRecord[]): Promise<void> {
    const messages = records.map(({ n, key, value }) => ({
      ...{ key, value, partition, headers: { n: String(n) } },
    }));
    for (;;) {
      this.#producer ??= this.#connect();
      const current = this.#producer;
      try {
        const request = { topic: `${this.#prefix}${topic}`, messages, acks: -1, timeout: 10_000 };
        const [answer] = await (await current).send(request);
        // kafkajs resolves without having sent anything where it does not know the partition or has lost its leader.
        if (answer?.partition === partition && answer.errorCode === 0) break;
        throw new Error('not acknowledged');
      } catch {
        // Whatever it was: the record is sent again, by a producer that finds the brokers anew.
        this.retries++;
        if (this.#producer === current) this.#producer = undefined;
        await (await current.catch(() => undefined))?.disconnect().catch(() => undefined);
        await sleep(RETRY_MS);
      }
    }
    for (const { n } of records) this.acknowledged.add(n);
  }

  async #connect(): Promise<Producer> {
    const producer = client(this.#brokers).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { retries: 6, initialRetryTime: 100, maxRetryTime: 1000 },
    });
    await producer.connect();
    return producer;
  }
}

/** FNV-1a: any spread will do, as long as a key keeps its partition. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
