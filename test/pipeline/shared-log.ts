import { FatalError } from '../../src/errors/errors.ts';
import type { FollowedLog, Leadership, Message, Sink } from '../../src/pipeline/ports.ts';
import { Random } from '../../src/sampling/random.ts';
import type { Life } from './life.ts';
import { keptOf, MemoryLog } from './memory-log.ts';

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

  #eventLogOf(life: Life, order: Random): FollowedLog {
    const moment = async () => {
      await life.moment();
      await turn();
    };
    const plain = this.eventLog({ order, handOver: () => 1 + order.below(8), delay: moment });
    return { ...plain, follow: (topics, follower) => life.call(() => plain.follow(topics, follower)) };
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
      commit: (positions, note) =>
        life.call(async () => {
          for (let turns = 4 ** slow.below(4); turns > 1; turns--) await turn();
          mine();
          await plain.commit(positions, note);
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
    this.published.push(...messages.map(keptOf));
  }
}
