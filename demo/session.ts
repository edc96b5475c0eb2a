import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Log as EventLog } from '../src/adapters/connect.ts';
import { composeUpdater } from '../src/cli/run/compose.ts';
import { Watch } from '../src/cli/run/watch/watch.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { HTTP_DEFAULT } from '../src/config/http-address.ts';
import type { Config } from '../src/config/resolve.ts';
import { FatalError } from '../src/errors/errors.ts';
import { silentLog } from '../src/log.ts';
import type { Sink, Source, SourceRecord } from '../src/pipeline/ports.ts';
import { Positions } from '../src/pipeline/reading/positions.ts';
import type { Updater } from '../src/pipeline/updater.ts';
import { decodeVector, embeddingsName, topicName } from '../topics/index.ts';
import type { Place } from './place.ts';
import type { WorldEvent } from './world.ts';

/** A laptop trains more events a second, so the latency shows the pipeline and not a backlog. */
const EVENTS_PER_S = 5_000;
const BATCH = 250;

/** Numbers of sent events, in all and by topic without the prefix. */
interface Fed {
  total: number;
  readonly byTopic: Map<string, number>;
}

/** The demo's updaters on a log, from their start to their end. */
export class Session {
  readonly fed: Fed = { total: 0, byTopic: new Map() };
  readonly updaters: Updater[] = [];
  readonly #config: Config;
  readonly #log: EventLog;
  #watch: Watch | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  readonly #place: Place;

  constructor(place: Place, config: Config) {
    this.#place = place;
    this.#config = config;
    this.#log = connect(config.kafka);
  }

  /** groupOf: group of an entity, which the dashboard's map shows as a colour. */
  async begin(groupOf: (entity: string) => string | undefined): Promise<void> {
    this.#watch = await this.#serve(groupOf);
    await this.#log.admin().create(declaredTopics(this.#config));
    const { measuresOf } = this.#watch;
    const runs = [];
    for (const graph of this.#config.graphs) {
      const outside = { connection: this.#log, log: silentLog, measuresOf };
      const composed = await composeUpdater(this.#config, graph, outside);
      this.updaters.push(composed.updater);
      runs.push({ graph, ...composed });
    }
    await this.#watch.over(runs);
    this.#running = Promise.allSettled(
      this.updaters.map((updater) =>
        updater.run().catch((error: Error) => {
          this.#failure ??= error;
        }),
      ),
    );
  }

  /** URL of the dashboard; undefined: the dashboard is off. */
  get url(): string | undefined {
    return this.#watch?.url;
  }

  async feed(events: Iterable<WorldEvent>, signal: AbortSignal): Promise<void> {
    const sink = this.#log.sink();
    await feedWorld(events, sink, this.#place.env.TWHIN_TOPIC_PREFIX, this.fed, signal);
    await sink.stop();
  }

  /** Waits until each updater has consumed all events of its topics. */
  async catchUp(signal: AbortSignal): Promise<void> {
    const behind = () =>
      this.#config.graphs.some(({ topics }, i) => {
        const sent = topics.reduce((sum, { name }) => sum + (this.fed.byTopic.get(name) ?? 0), 0);
        return (this.updaters[i]?.progress().events.consumed ?? 0) < sent;
      });
    await this.#until(() => !behind() || signal.aborted);
  }

  async published(): Promise<void> {
    await this.#until(() => this.updaters.every((updater) => updater.progress().outbox === 0));
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      if (this.#failure) throw this.#failure;
      await pause(100);
    }
  }

  async lookAt<T>(
    look: (vectors: Map<string, Float32Array>) => T,
  ): Promise<{ graph: string; findings: T }[]> {
    const found: { graph: string; findings: T }[] = [];
    for (const { name } of this.#config.graphs) {
      const topic = topicName(this.#config.topicPrefix, embeddingsName(name));
      const source = this.#log.source({ groupId: `${topic}.demo-reader`, topics: [topic] });
      found.push({ graph: name, findings: look(await readUserVectors(source)) });
    }
    return found;
  }

  /** Number of dead letters by the ends of their topic, independent of the updaters' counts. */
  async deadLetters(): Promise<number> {
    const topic = topicName(this.#config.topicPrefix, 'dead-letter');
    const source = this.#log.source({ groupId: `${topic}.demo-reader`, topics: [topic] });
    const ends = await source.ends();
    await source.stop();
    return Object.values(ends[topic] ?? {}).reduce((sum, end) => sum + end, 0);
  }

  /** Stops the updaters after everything is trained and published. Idempotent. */
  async end(): Promise<void> {
    for (const updater of this.updaters) updater.stop();
    await this.#running;
    await this.#watch?.stop();
    if (this.#failure) throw this.#failure;
  }

  /** Serves the dashboard at the usual address, or at any free port if the address is in use. */
  async #serve(groupOf: (entity: string) => string | undefined): Promise<Watch> {
    const address = this.#config.http === 'off' ? undefined : (this.#config.http ?? HTTP_DEFAULT);
    const names = this.#config.graphs.map(({ name }) => name);
    const options = { address, names, faults: [], log: silentLog, groupOf };
    return Watch.begin(options).catch((error: unknown) => {
      if (address === undefined || !(error instanceof FatalError)) throw error;
      return Watch.begin({ ...options, address: { ...address, port: 0 } });
    });
  }
}

/** Sends the world's events at an even pace until their end or until `signal` fires. */
async function feedWorld(
  events: Iterable<WorldEvent>,
  sink: Sink,
  prefix: string,
  fed: Fed,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now();
  let batch: WorldEvent[] = [];
  const send = async () => {
    const messages = batch.map(({ topic, key, value }) => ({
      topic: topicName(prefix, topic),
      key,
      value,
      headers: {},
    }));
    for (const { topic } of batch) fed.byTopic.set(topic, (fed.byTopic.get(topic) ?? 0) + 1);
    batch = [];
    await sink.publish(messages);
    fed.total += messages.length;
    const ahead = (fed.total / EVENTS_PER_S) * 1000 - (performance.now() - start);
    if (ahead > 0) await pause(ahead);
  };
  for (const event of events) {
    if (signal.aborted) return;
    batch.push(event);
    if (batch.length === BATCH) await send();
  }
  if (batch.length > 0) await send();
}

/** Reads an embeddings topic from its start to its current end; gives the last vector of each user. */
async function readUserVectors(source: Source): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  const read = new Positions();
  const ends = await source.ends();
  const done = Promise.withResolvers<void>();
  const check = () => {
    if (read.reached(ends)) done.resolve();
  };
  check();
  await source.start({
    position: (topic, partition) => read.get(topic, partition),
    accept: (records) => {
      for (const record of records) {
        keep(vectors, record);
        read.advance(record.topic, record.partition, record.offset + 1);
      }
      check();
      return true;
    },
    skipped: (topic, partition, offset) => {
      read.advance(topic, partition, offset);
      check();
    },
    failed: done.reject,
  });
  await done.promise;
  await source.stop();
  return vectors;
}

function keep(vectors: Map<string, Float32Array>, { key, value }: SourceRecord): void {
  const entity = key?.toString() ?? '';
  if (!entity.startsWith('user:')) return;
  const user = entity.slice('user:'.length);
  if (value === null) vectors.delete(user);
  else vectors.set(user, decodeVector(value));
}
