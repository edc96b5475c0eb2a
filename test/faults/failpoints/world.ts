import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from '../../../src/cli/context.ts';
import { FatalError, RetryableError } from '../../../src/errors/errors.ts';
import type { Follower, Message } from '../../../src/pipeline/ports.ts';
import { portWith } from '../../fixtures/port.ts';
import type { Failpoint, Place } from './plan.ts';

export interface FaultyOptions {
  /** Of the consumer group; the usual one when undefined. */
  readonly sessionTimeoutMs: number | undefined;
  readonly tellReads: boolean;
}

/** The outside as commands know it, with failpoints in the calls to it. */
export function faultyWorld(
  world: World,
  failpoints: readonly Failpoint[],
  { sessionTimeoutMs, tellReads }: FaultyOptions,
): World {
  const gate = new Gate(failpoints);
  const session = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs };
  const taking = (follower: Follower): Follower =>
    portWith(follower, {
      take: (run) => {
        const [first] = run.records;
        if (tellReads && first) writeSync(2, `read ${run.topic}/${run.partition} ${first.offset}\n`);
        return gate.aroundNow('log.take', () => follower.take(run));
      },
    });
  return {
    ...world,
    openStore: async (...args) => {
      const store = await world.openStore(...args);
      return portWith(store, {
        getMany: (keys) => gate.around('store.getMany', () => store.getMany(keys)),
        write: (batch) => gate.around('store.write', () => store.write(batch)),
        sync: () => gate.around('store.sync', () => store.sync()),
        checkpointsOf: (width) => {
          const checkpoints = store.checkpointsOf(width);
          return portWith(checkpoints, {
            write: (head, blocks) =>
              gate.around('checkpoint.write', () =>
                checkpoints.write(head, gate.each('checkpoint.block', blocks)),
              ),
            dropBefore: (commit) =>
              gate.around('checkpoint.dropBefore', () => checkpoints.dropBefore(commit)),
          });
        },
      });
    },
    connect: async (...args) => {
      const connection = await world.connect(...args);
      return portWith(connection, {
        log: (options) => {
          const log = connection.log(options);
          return portWith(log, { follow: (topics, follower) => log.follow(topics, taking(follower)) });
        },
        leadership: (options) => {
          const leadership = connection.leadership({ ...options, ...session });
          return (
            leadership &&
            portWith(leadership, {
              commit: (...args) => gate.around('leadership.commit', () => leadership.commit(...args)),
              confirm: () => gate.around('leadership.confirm', () => leadership.confirm()),
            })
          );
        },
        shares: (options) => connection.shares({ ...options, ...session }),
        sink: (options) => {
          const sink = connection.sink(options);
          return portWith(sink, {
            publish: (messages) =>
              gate.around('sink.publish', () => {
                const publish = () => sink.publish(messages);
                return messages.some(hasChanges) ? gate.around('sink.route', publish) : publish();
              }),
            takeOver: () => gate.around('sink.takeOver', () => sink.takeOver()),
          });
        },
      });
    },
  };
}

/** Whether it brings a shard events: marks bring none, and what a router sends beside them are dead letters. */
function hasChanges({ topic, value }: Message): boolean {
  return topic.includes('.edges.') && !Buffer.from(value ?? '').includes('"changes":[]');
}

/** Counts the calls of each place, and lets happen what stands there. */
class Gate {
  readonly #failpoints: readonly Failpoint[];
  readonly #calls = new Map<Place, number>();

  constructor(failpoints: readonly Failpoint[]) {
    this.#failpoints = failpoints;
  }

  async around<T>(place: Place, work: () => Promise<T>): Promise<T> {
    const call = this.#count(place);
    await this.#act(place, 'before', call);
    const result = await work();
    await this.#act(place, 'after', call);
    return result;
  }

  /** Around the handling of each item. */
  async *each<T>(place: Place, items: AsyncIterable<T>): AsyncIterable<T> {
    for await (const item of items) {
      yield item;
      await this.around(place, async () => undefined);
    }
  }

  /** For calls that must not wait: signals are all that can stand there. */
  aroundNow<T>(place: Place, work: () => T): T {
    const call = this.#count(place);
    this.#signal(place, 'before', call);
    const result = work();
    this.#signal(place, 'after', call);
    return result;
  }

  #count(place: Place): number {
    const call = (this.#calls.get(place) ?? 0) + 1;
    this.#calls.set(place, call);
    return call;
  }

  #find(place: Place, when: Failpoint['when'], call: number): Failpoint | undefined {
    return this.#failpoints.find(
      (one) =>
        one.place === place && one.when === when && (one.repeats ? call >= one.call : call === one.call),
    );
  }

  async #act(place: Place, when: Failpoint['when'], call: number): Promise<void> {
    const act = this.#signal(place, when, call);
    if (act === undefined || typeof act === 'string') return;
    if ('delayMs' in act) await sleep(act.delayMs);
    else if (place === 'sink.publish') throw new RetryableError('not-acknowledged', act.error);
    else throw new FatalError('store-write', act.error);
  }

  #signal(place: Place, when: Failpoint['when'], call: number): Failpoint['act'] | undefined {
    const act = this.#find(place, when, call)?.act;
    if (act !== 'kill' && act !== 'freeze') return act;
    // Not through a stream: nothing that waits is written once the signal is sent.
    writeSync(2, `failpoint: ${act} ${when} call ${call} of ${place}\n`);
    process.kill(process.pid, act === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    return act;
  }
}
