import { FatalError } from '../../src/errors/errors.ts';
import type {
  FollowedLog,
  Follower,
  Leadership,
  Message,
  RecordRun,
  Sink,
  SourceRecord,
} from '../../src/pipeline/ports.ts';
import { Random } from '../../src/sampling/random.ts';
import type { Life } from './life.ts';
import { MemoryLog } from './memory-log.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * A log that processes share one after the other: its group has one leader, its embeddings topic one publisher, and
 * who was either before is refused. Each process reads the partitions in an order of its own.
 */
export class SharedLog extends MemoryLog {
  #leads: Life | undefined;
  #publishes: Life | undefined;

  /** The log as a process has it. random: decides the order in which it reads. */
  seenBy(life: Life, random: Random): { log: MemoryLog; eventLog: FollowedLog; leadership: Leadership } {
    const sink = this.#sinkOf(life, Random.seeded(random.next()));
    return {
      log: Object.assign(Object.create(this), { sink: () => sink }),
      eventLog: this.#eventLogOf(life, random),
      leadership: this.#leadershipOf(life, Random.seeded(random.next())),
    };
  }

  #eventLogOf(life: Life, random: Random): FollowedLog {
    const pump = new Pump(this.records, random);
    const plain = this.eventLog();
    return {
      ...plain,
      follow: (_, follower) =>
        life.call(async () => {
          pump.start(follower, () => life.moment());
          return { close: async () => pump.stop() };
        }),
      close: async () => pump.stop(),
    };
  }

  #leadershipOf(life: Life, slow: Random): Leadership {
    const plain = this.leadership();
    const mine = () => {
      if (this.#leads !== life) throw new FatalError('fenced', 'another process reads for the group');
    };
    return {
      ...plain,
      join: () =>
        life.call(async () => {
          this.#leads = life;
        }),
      commit: (offsets, note) =>
        life.call(async () => {
          for (let turns = 4 ** slow.below(4); turns > 1; turns--) await turn();
          mine();
          await plain.commit(offsets, note);
        }),
      committed: () => life.call(() => plain.committed()),
      confirm: () => life.call(async () => mine()),
    };
  }

  #sinkOf(life: Life, random: Random): Sink {
    return {
      takeOver: () =>
        life.call(async () => {
          if (this.#leads !== life) throw new FatalError('fenced', 'another process reads for the group');
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

/** Hands over records of all partitions, in order within each, interleaved at random. */
class Pump {
  readonly #records: readonly SourceRecord[];
  /** The first `#sorted` of them by partition: others may append more. */
  readonly #partitions = new Map<string, SourceRecord[]>();
  #sorted = 0;
  readonly #random: Random;
  readonly #next = new Map<string, number>();
  readonly #held = new Set<string>();
  #stopped = false;

  constructor(records: readonly SourceRecord[], random: Random) {
    this.#records = records;
    this.#random = random;
  }

  /** mayRead: throws what keeps this process from reading. */
  start(follower: Follower, mayRead: () => Promise<void>): void {
    this.#run(follower, mayRead).catch((error: unknown) => {
      if (!this.#stopped) follower.failed(error instanceof Error ? error : new Error(String(error)));
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(follower: Follower, mayRead: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await mayRead();
      const run = this.#stopped ? undefined : this.#draw(follower);
      const room = run && follower.take(run);
      if (room) {
        const name = nameOf(run);
        this.#held.add(name);
        void room.then(() => this.#held.delete(name));
      }
      await turn();
    }
  }

  /** The next few records of a partition that has some left. */
  #draw(follower: Follower): RecordRun | undefined {
    for (const record of this.#records.slice(this.#sorted)) {
      const records = this.#partitions.get(nameOf(record));
      if (records === undefined) this.#partitions.set(nameOf(record), [record]);
      else records.push(record);
    }
    this.#sorted = this.#records.length;
    const names = [...this.#partitions.keys()].filter((name) => !this.#held.has(name));
    const left = names.filter((name) => this.#from(follower, name).length > 0);
    const name = left[this.#random.below(Math.max(1, left.length))];
    if (name === undefined) return undefined;
    const records = this.#from(follower, name).slice(0, 1 + this.#random.below(8));
    const { topic, partition, offset } = records.at(-1)!;
    this.#next.set(name, offset + 1);
    return { topic, partition, records, next: offset + 1 };
  }

  #from(follower: Follower, name: string): SourceRecord[] {
    const [topic = '', partition] = name.split(' ');
    const from = this.#next.get(name) ?? follower.position(topic, Number(partition)) ?? 0;
    // An append-only log of its own: a record's offset is its place.
    return this.#partitions.get(name)?.slice(from) ?? [];
  }
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic} ${partition}`;
}
