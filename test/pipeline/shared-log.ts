import { FatalError } from '../../src/errors/errors.ts';
import type { Message, Offsets, Sink, Source, SourceReader, SourceRecord } from '../../src/pipeline/ports.ts';
import { Random } from '../../src/sampling/random.ts';
import type { Life } from './life.ts';
import { MemoryLog } from './memory-log.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * A log that processes share one after the other: its group has one reader, its embeddings topic one publisher, and
 * who was either before is refused. Each process reads the partitions in an order of its own, some records twice.
 */
export class SharedLog extends MemoryLog {
  #reads: Life | undefined;
  #publishes: Life | undefined;

  /** The log as a process has it. random: decides the order in which it reads. */
  seenBy(life: Life, random: Random): { log: MemoryLog; source: Source } {
    const sink = this.#sinkOf(life, Random.seeded(random.next()));
    return {
      log: Object.assign(Object.create(this), { sink: () => sink }),
      source: this.#sourceOf(life, random),
    };
  }

  #sourceOf(life: Life, random: Random): Source {
    const partitions = new Pump(this.records, random);
    const slow = Random.seeded(random.next());
    const mine = () => {
      if (this.#reads !== life) throw new FatalError('fenced', 'another process reads for the group');
    };
    return {
      ends: async () => {
        const ends: Offsets = {};
        for (const { topic, partition, offset } of this.records) {
          ends[topic] = { ...ends[topic], [partition]: offset + 1 };
        }
        return ends;
      },
      start: (reader) =>
        life.call(async () => {
          this.#reads = life;
          partitions.start(reader, () => life.call(async () => mine()));
        }),
      resume: () => partitions.resume(),
      commit: (offsets, note) =>
        life.call(async () => {
          for (let turns = 4 ** slow.below(4); turns > 1; turns--) await turn();
          mine();
          this.committed.push(offsets);
          this.note = note;
        }),
      committed: () =>
        life.call(async () => ({
          offsets: this.committed.at(-1) ?? {},
          ...(this.note && { note: this.note }),
        })),
      topicIds: async () => this.topicIds,
      confirm: () => life.call(async () => mine()),
      stop: async () => partitions.stop(),
    };
  }

  #sinkOf(life: Life, random: Random): Sink {
    return {
      takeOver: () =>
        life.call(async () => {
          if (this.#reads !== life) throw new FatalError('fenced', 'another process reads for the group');
          this.#publishes = life;
        }),
      // A send may be half through when the process ends, and take longer than the next commit.
      publish: async (messages) => {
        const half = messages.length >> 1;
        await life.call(async () => this.#publish(life, messages.slice(0, half)));
        await life.call(async () => this.#publish(life, messages.slice(half)));
        for (let turns = 4 ** random.below(5); turns > 1; turns--) await turn();
      },
      stop: async () => {},
    };
  }

  #publish(life: Life, messages: readonly Message[]): void {
    if (this.#publishes !== life) throw new FatalError('fenced', 'another process publishes');
    this.published.push(...messages);
  }
}

/** Hands over records of all partitions, in order within each, interleaved at random, now and then some again. */
class Pump {
  readonly #records: readonly SourceRecord[];
  readonly #random: Random;
  #reader: SourceReader | undefined;
  #mayRead: () => Promise<void> = async () => {};
  #next = new Map<string, number>();
  #running = false;

  constructor(records: readonly SourceRecord[], random: Random) {
    this.#records = records;
    this.#random = random;
  }

  /** mayRead: throws what keeps this process from reading. */
  start(reader: SourceReader, mayRead: () => Promise<void>): void {
    this.#reader = reader;
    this.#mayRead = mayRead;
    this.resume();
  }

  resume(): void {
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#reader = undefined;
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (let room = true; room && this.#reader !== undefined; ) {
        await this.#mayRead();
        const records = this.#reader && this.#draw(this.#reader);
        if (records && records.length > 0) room = this.#reader?.accept(records) ?? false;
        await turn();
      }
    } catch (error) {
      this.#reader?.failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#running = false;
    }
  }

  /** The next few records of a partition that has some left. */
  #draw(reader: SourceReader): SourceRecord[] {
    const names = [...new Set(this.#records.map(({ topic, partition }) => `${topic} ${partition}`))];
    const left = names.filter((name) => this.#of(name, this.#from(reader, name)).length > 0);
    const name = left[this.#random.below(Math.max(1, left.length))];
    if (name === undefined) return [];
    const from = this.#from(reader, name);
    const records = this.#of(name, from).slice(0, 1 + this.#random.below(8));
    this.#next.set(name, (records.at(-1)?.offset ?? 0) + 1);
    // A fetch may reach back before what was asked for.
    return [
      ...this.#of(name, Math.max(0, from - this.#random.below(3))).filter(({ offset }) => offset < from),
      ...records,
    ];
  }

  #from(reader: SourceReader, name: string): number {
    const [topic = '', partition] = name.split(' ');
    return this.#next.get(name) ?? reader.position(topic, Number(partition)) ?? 0;
  }

  #of(name: string, from: number): SourceRecord[] {
    return this.#records.filter((each) => `${each.topic} ${each.partition}` === name && each.offset >= from);
  }
}
