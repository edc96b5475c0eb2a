import { setTimeout as pause } from 'node:timers/promises';
import { connect, type Log as EventLog } from '../src/adapters/connect.ts';
import { composeUpdater } from '../src/cli/run/compose.ts';
import { Watch } from '../src/cli/run/watch/watch.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { HTTP_DEFAULT } from '../src/config/http-address.ts';
import type { Config } from '../src/config/resolve.ts';
import { FatalError } from '../src/errors/errors.ts';
import { silentLog } from '../src/log.ts';
import type { Updater } from '../src/pipeline/updater.ts';
import { embeddingsName, topicName } from '../topics/index.ts';
import { type Fed, feedWorld } from './feeding.ts';
import type { Place } from './place.ts';
import { readUserVectors } from './vectors.ts';

/** Updaters on a log, from start to end. */
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

  /** groupOf: what an entity belongs to, for the dashboard's map. */
  async begin(groupOf: (entity: string) => string | undefined): Promise<void> {
    this.#watch = await this.#serve(groupOf);
    await this.#log.admin().create(declaredTopics(this.#config));
    const { measuresOf, tracksOf } = this.#watch;
    const runs = [];
    for (const graph of this.#config.graphs) {
      const outside = { connection: this.#log, log: silentLog, measuresOf, tracksOf };
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

  /** Where the dashboard is; undefined: nowhere. */
  get url(): string | undefined {
    return this.#watch?.url;
  }

  async feed(events: Parameters<typeof feedWorld>[0], signal: AbortSignal): Promise<void> {
    const sink = this.#log.sink();
    await feedWorld(events, sink, this.#place.env.TWHIN_TOPIC_PREFIX, this.fed, signal);
    await sink.stop();
  }

  /** Waits until each updater consumed what was sent to its topics. */
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

  /** Dead letters by the ends of their topic: what is on the log, not what the updaters counted. */
  async deadLetters(): Promise<number> {
    const topic = topicName(this.#config.topicPrefix, 'dead-letter');
    const source = this.#log.source({ groupId: `${topic}.demo-reader`, topics: [topic] });
    const ends = await source.ends();
    await source.stop();
    return Object.values(ends[topic] ?? {}).reduce((sum, end) => sum + end, 0);
  }

  /** Stops the updaters, everything trained and published. Idempotent. */
  async end(): Promise<void> {
    for (const updater of this.updaters) updater.stop();
    await this.#running;
    await this.#watch?.stop();
    if (this.#failure) throw this.#failure;
  }

  /** At the usual address, or at any that is free where something else is there. */
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
