import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogConnection } from '../../../src/adapters/connect.ts';
import type { World } from '../../../src/cli/context.ts';
import { FatalError } from '../../../src/errors/errors.ts';
import type { Store } from '../../../src/graph/store.ts';
import type { EventLog, Leadership, RecordRun, Sink } from '../../../src/pipeline/ports.ts';
import type { Failpoint, Place } from './plan.ts';

export interface FaultyOptions {
  /** Of the consumer group; the usual one when undefined. */
  readonly sessionTimeoutMs: number | undefined;
  readonly tellReads: boolean;
}

/** The outside as commands know it, with failpoints in the calls to it. */
export function faultyWorld(world: World, failpoints: readonly Failpoint[], options: FaultyOptions): World {
  const gate = new Gate(failpoints);
  return {
    ...world,
    connect: async (...args) => faultyConnection(await world.connect(...args), gate, options),
    openStore: async (...args) => faultyStore(await world.openStore(...args), gate),
  };
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

function faultyStore(store: Store, gate: Gate): Store {
  return {
    getMany: (keys) => gate.around('store.getMany', () => store.getMany(keys)),
    scan: (prefix) => store.scan(prefix),
    runs: (prefix) => store.runs(prefix),
    write: (batch) => gate.around('store.write', () => store.write(batch)),
    close: () => store.close(),
  };
}

function faultyConnection(
  connection: LogConnection,
  gate: Gate,
  { sessionTimeoutMs, tellReads }: FaultyOptions,
): LogConnection {
  const session = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs };
  return {
    describe: connection.describe,
    keepsAll: connection.keepsAll,
    log: (options) => faultyLog(connection.log(options), gate, tellReads),
    leadership: (options) => {
      const leadership = connection.leadership({ ...options, ...session });
      return leadership && faultyLeadership(leadership, gate);
    },
    shares: (options) => connection.shares({ ...options, ...session }),
    sink: (options) => faultySink(connection.sink(options), gate),
    admin: () => connection.admin(),
    close: () => connection.close(),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

function faultyLog(log: EventLog, gate: Gate, tellReads: boolean): EventLog & AsyncDisposable {
  const tell = ({ topic, partition, records: [first] }: RecordRun) => {
    if (tellReads && first) writeSync(2, `read ${topic}/${partition} ${first.offset}\n`);
  };
  return {
    ranges: (topics) => log.ranges(topics),
    offsetsAt: (...args) => log.offsetsAt(...args),
    topicIds: (topics) => log.topicIds(topics),
    read: (stretches) => log.read(stretches),
    follow: (topics, follower) =>
      log.follow(topics, {
        position: (...args) => follower.position(...args),
        reads: (...args) => follower.reads?.(...args) ?? true,
        take: (run) => {
          tell(run);
          return gate.aroundNow('log.take', () => follower.take(run));
        },
        failed: (error) => follower.failed(error),
      }),
    close: () => log.close(),
    [Symbol.asyncDispose]: () => log.close(),
  };
}

function faultyLeadership(leadership: Leadership, gate: Gate): Leadership {
  return {
    join: (candidate) => leadership.join(candidate),
    commit: (...args) => gate.around('leadership.commit', () => leadership.commit(...args)),
    committed: () => leadership.committed(),
    confirm: () => gate.around('leadership.confirm', () => leadership.confirm()),
    stop: () => leadership.stop(),
  };
}

function faultySink(sink: Sink, gate: Gate): Sink & AsyncDisposable {
  return {
    publish: (messages) => gate.around('sink.publish', () => sink.publish(messages)),
    takeOver: () => gate.around('sink.takeOver', () => sink.takeOver()),
    stop: () => sink.stop(),
    [Symbol.asyncDispose]: () => sink.stop(),
  };
}
