import { FatalError, RetryableError, reasonOf } from '../../errors/errors.ts';
import { patiently } from '../patience.ts';
import type {
  Committed,
  LogReader,
  Offsets,
  Source,
  SourceReader,
  StretchCursor,
  StretchReading,
  WriterNote,
} from '../ports.ts';

/**
 * A standby's source: reads the topics beside the group, and for the group once its turn has come. Both may hand a
 * record over; the reader takes each once, by its offset.
 */
export class StandbySource implements Source {
  readonly #group: Source;
  readonly #log: LogReader;
  readonly #topics: readonly string[];
  #reading: StretchReading | undefined;
  #following: Promise<unknown> = Promise.resolve();
  #room: PromiseWithResolvers<void> | undefined;
  #leads = false;
  #stopped = false;

  constructor(group: Source, log: LogReader, topics: readonly string[]) {
    this.#group = group;
    this.#log = log;
    this.#topics = topics;
  }

  ends(): Promise<Offsets> {
    return this.#group.ends();
  }

  async start(reader: SourceReader): Promise<void> {
    const ranges = await patiently(this.#group, () => this.#log.ranges(this.#topics));
    const stretches = ranges.map(({ topic, partition, low }) => ({
      ...{ topic, partition },
      ...{ from: reader.position(topic, partition) ?? low, until: Number.MAX_SAFE_INTEGER },
    }));
    this.#reading = await this.#log.read(stretches);
    const failed = (error: unknown) => {
      if (this.#stopped || (error instanceof RetryableError && error.code === 'stopped')) return;
      reader.failed(error instanceof Error ? error : new FatalError('updater', reasonOf(error)));
    };
    this.#following = Promise.all(
      this.#reading.cursors.map((cursor) => this.#follow(cursor, reader).catch(failed)),
    );
    this.#group.start(reader).then(async () => {
      if (this.#stopped) return;
      this.#leads = true;
      await this.#reading?.close();
      reader.leads?.();
    }, failed);
  }

  resume(): void {
    this.#room?.resolve();
    this.#room = undefined;
    if (this.#leads) this.#group.resume();
  }

  async commit(offsets: Offsets, note?: WriterNote): Promise<void> {
    if (this.#leads) await this.#group.commit(offsets, note);
  }

  committed(): Promise<Committed> {
    return this.#group.committed();
  }

  topicIds(): Promise<Readonly<Record<string, string>>> {
    return this.#group.topicIds();
  }

  confirm(options?: { fresh: boolean }): Promise<void> {
    return this.#group.confirm(options);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.resume();
    await this.#reading?.close();
    await this.#following;
    await this.#group.stop();
    await this.#log.close();
  }

  async #follow(cursor: StretchCursor, reader: SourceReader): Promise<void> {
    for (;;) {
      const records = await cursor.next();
      if (records === undefined || this.#leads || this.#stopped) return;
      if (!reader.accept(records)) {
        this.#room ??= Promise.withResolvers<void>();
        await this.#room.promise;
      }
    }
  }
}
