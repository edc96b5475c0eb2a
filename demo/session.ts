import { setTimeout as pause } from 'node:timers/promises';
import type { LogConnection } from '../src/adapters/connect.ts';
import { composeLive } from '../src/compose/live.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { HTTP_DEFAULT } from '../src/config/environment.ts';
import type { Config } from '../src/config/resolve.ts';
import { FatalError } from '../src/errors/errors.ts';
import { silentLog } from '../src/log.ts';
import type { ReadableLog, Sink, SourceRecord } from '../src/pipeline/ports.ts';
import { eachRecord, wholeTopics } from '../src/pipeline/reading/bounded.ts';
import { createdTopics } from '../src/pipeline/topic-plan.ts';
import type { Updater } from '../src/pipeline/updater.ts';
import { Watch } from '../src/watch/watch.ts';
import { DEAD_LETTER, decodeVector, embeddingsName, fullName, topicName } from '../topics/index.ts';
import type { Place } from './place.ts';
import type { WorldEvent } from './world.ts';

/** A laptop trains more events a second, so the latency shows the pipeline and not a backlog. */
const EVENTS_PER_S = 5_000;
const BATCH = 250;

/** The headers of a dead letter that say where its record is. */
const SOURCE_HEADERS = ['source-topic', 'source-partition', 'source-offset'];

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
  readonly #connection: LogConnection;
  #watch: Watch | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  readonly #place: Place;

  constructor(place: Place, config: Config, connection: LogConnection) {
    this.#place = place;
    this.#config = config;
    this.#connection = connection;
  }

  /** groupOf: group of an entity, which the dashboard's map shows as a colour. */
  async begin(groupOf: (entity: string) => string | undefined): Promise<void> {
    this.#watch = await this.#serve(groupOf);
    await this.#connection.admin().create(createdTopics(declaredTopics(this.#config)));
    const { measuresOf } = this.#watch.metrics;
    const runs = [];
    for (const graph of this.#config.graphs) {
      const outside = { connection: this.#connection, log: silentLog, measuresOf };
      const composed = await composeLive(this.#config, graph, outside);
      this.updaters.push(composed.updater);
      runs.push({ graph, ...composed });
    }
    this.#watch.over(runs);
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
    const sink = this.#connection.sink();
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
    const log = this.#connection.log();
    for (const { name } of this.#config.graphs) {
      const topic = topicName(this.#config.topicPrefix, embeddingsName(name));
      found.push({ graph: name, findings: look(await readUserVectors(log, topic)) });
    }
    await log.close();
    return found;
  }

  /** Number of records with a dead letter, by the letters themselves: two graphs that read a record write one each. */
  async rejected(): Promise<number> {
    const topic = topicName(this.#config.topicPrefix, DEAD_LETTER);
    const log = this.#connection.log();
    const places = new Set<string>();
    await eachRecord(log, await wholeTopics(log, [topic]), (letters) => {
      for (const { headers } of letters)
        places.add(SOURCE_HEADERS.map((name) => String(headers?.[name])).join('/'));
    });
    await log.close();
    return places.size;
  }

  /** Stops the updaters after everything is trained and published. Idempotent. */
  async end(): Promise<void> {
    for (const updater of this.updaters) updater.stop();
    await this.#running;
    await this.#watch?.[Symbol.asyncDispose]();
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
      topic: fullName(prefix, { name: topic }),
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
async function readUserVectors(log: ReadableLog, topic: string): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  await eachRecord(log, await wholeTopics(log, [topic]), (records) => {
    for (const record of records) keep(vectors, record);
  });
  return vectors;
}

function keep(vectors: Map<string, Float32Array>, { key, value }: SourceRecord): void {
  const entity = key?.toString() ?? '';
  if (!entity.startsWith('user:')) return;
  const user = entity.slice('user:'.length);
  if (value === null) vectors.delete(user);
  else vectors.set(user, decodeVector(value));
}
