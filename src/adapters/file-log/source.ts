import { FatalError, reasonOf } from '../../errors/errors.ts';
import type { Committed, Offsets, Source, SourceReader } from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import { Positions } from '../positions.ts';
import { type OpenPartition, openPartitions } from './partitions.ts';

const CHUNK_RECORDS = 500;
/** The longest a new record waits to be seen. */
const POLL_MS = 25;

/** Reads topics of a file log from the positions its reader keeps, and what is appended after them. */
export class FileLogSource implements Source {
  readonly #dir: string;
  readonly #topics: readonly string[];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(dir: string, topics: readonly string[]) {
    this.#dir = dir;
    this.#topics = topics;
  }

  async ends(): Promise<Offsets> {
    const ends: Offsets = {};
    for (const { topic, partition, log } of await openPartitions(this.#dir, this.#topics)) {
      await log.skipTo(Number.POSITIVE_INFINITY);
      ends[topic] = { ...ends[topic], [partition]: log.offset };
    }
    return ends;
  }

  async start(reader: SourceReader): Promise<void> {
    if (this.#running !== undefined) {
      throw new FatalError('started', 'this source was started before; make a new one');
    }
    const positions = new Positions(reader);
    const ends = await this.ends();
    for (const [topic, partitions] of Object.entries(ends)) {
      const ranges = Object.entries(partitions).map(([p, high]) => [Number(p), { low: 0, high }] as const);
      positions.check(topic, new Map(ranges));
    }
    const readings = await openPartitions(this.#dir, this.#topics);
    for (const { topic, partition, log } of readings) {
      await log.skipTo(positions.next(topic, partition));
    }
    this.#running = this.#run(reader, readings).catch((error: unknown) => {
      reader.failed(error instanceof Error ? error : new Error(reasonOf(error)));
    });
  }

  resume(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** A file log has no lag tools to tell. */
  async commit(): Promise<void> {}

  async committed(): Promise<Committed> {
    return { offsets: {} };
  }

  async topicIds(): Promise<Record<string, string>> {
    return {};
  }

  /** Nor groups: the store's lock alone keeps a second reader away. */
  async confirm(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.resume();
    await this.#running;
  }

  async #run(reader: SourceReader, readings: readonly OpenPartition[]): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let count = 0;
      for (const { log } of readings) {
        const records = await log.read(CHUNK_RECORDS);
        count += records.length;
        if (signal.aborted) {
          return;
        }
        if (records.length > 0 && !reader.accept(records)) {
          this.#room ??= Promise.withResolvers<void>();
          await this.#room.promise;
          if (signal.aborted) {
            return;
          }
        }
      }
      if (count === 0) {
        await pause(POLL_MS, signal);
      }
    }
  }
}
