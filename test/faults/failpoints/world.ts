import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../src/adapters/connect.ts';
import type { World } from '../../../src/cli/context.ts';
import { FatalError } from '../../../src/errors/errors.ts';
import type { Store } from '../../../src/graph/store.ts';
import type { Sink, Source, SourceRecord } from '../../../src/pipeline/ports.ts';
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
    connect: (...args) => faultyLog(world.connect(...args), gate, options),
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

/** A proxy, so that what a log offers besides is there as well. */
function faultyLog(log: Log, gate: Gate, { sessionTimeoutMs, tellReads }: FaultyOptions): Log {
  const session = sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs };
  const source: Log['source'] = (options) =>
    faultySource(log.source({ ...options, ...session }), gate, tellReads);
  const sink: Log['sink'] = (...args) => faultySink(log.sink(...args), gate);
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'source') return source;
      if (name === 'sink') return sink;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function faultySource(source: Source, gate: Gate, tellReads: boolean): Source {
  const tell = ([first]: readonly SourceRecord[]) => {
    if (tellReads && first) writeSync(2, `read ${first.topic}/${first.partition} ${first.offset}\n`);
  };
  return {
    ends: () => source.ends(),
    start: (reader) =>
      source.start({
        position: (...args) => reader.position(...args),
        accept: (records) => {
          tell(records);
          return gate.aroundNow('source.accept', () => reader.accept(records));
        },
        skipped: (...args) => reader.skipped?.(...args),
        leads: () => reader.leads?.(),
        failed: (error) => reader.failed(error),
      }),
    resume: () => source.resume(),
    commit: (...args) => gate.around('source.commit', () => source.commit(...args)),
    committed: () => source.committed(),
    topicIds: () => source.topicIds(),
    confirm: (...args) => gate.around('source.confirm', () => source.confirm(...args)),
    stop: () => source.stop(),
  };
}

function faultySink(sink: Sink, gate: Gate): Sink {
  return {
    publish: (messages) => gate.around('sink.publish', () => sink.publish(messages)),
    takeOver: () => gate.around('sink.takeOver', () => sink.takeOver()),
    stop: () => sink.stop(),
  };
}
