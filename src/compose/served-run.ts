import { embeddingsName, modelName, topicName } from '../../topics/index.ts';
import { retrying } from '../adapters/backoff.ts';
import type { LogConnection } from '../adapters/connect.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { RetryableError, reasonOf, TwhinError } from '../errors/errors.ts';
import type { Relation } from '../graph/edge.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { Surface } from '../graph/surface.ts';
import type { Log } from '../log.ts';
import type { ServedSnapshot } from '../metrics/serving.ts';
import type { EventLog, RecordRun } from '../pipeline/ports.ts';
import { refuseRecreated } from '../pipeline/writing/topic-identity.ts';
import { Activity } from '../serve/activity/activity.ts';
import type { ServedStatus } from '../serve/answers.ts';
import { surfacesOf } from '../serve/plan.ts';
import { ActivityFeed, Reading, VectorFeed } from '../serve/reading.ts';
import type { ServedGraph } from '../serve/served-graph.ts';
import type { Gate } from '../serve/shared-passes.ts';
import { QUERY, Spaces } from '../serve/spaces.ts';
import { topicsOf } from './graph-updater.ts';

/** How often the ends of the topics and their identities are looked at. */
const LOOK_MS = 5_000;
/** The first skipped records are logged, then one in a thousand: a topic of somebody else's would fill the log. */
const [LOGGED, ONE_OF] = [20, 1_000];
/** Taking so many bytes of records takes half a millisecond: requests have their turn before the next ones. */
const HAND_OVER_BYTES = 128 << 10;
/** Most edges remembered of one entity. */
export const EDGES_OF_ONE = 10_000;

export interface ServeOptions {
  readonly connection: LogConnection;
  readonly log: Log;
  /** Most edges remembered of all entities of a graph. */
  readonly edges: number;
  /** What is read is written through it. */
  readonly gate: Gate;
  /** How many scan a table at the same time. */
  readonly scanners: number;
  /** A vector became visible. ms: since it was written to the topic. */
  visible(graph: string, ms: number): void;
  /** Told that the graph can't be followed any further. */
  failed(error: Error): void;
}

/** A graph's vectors and its users' edges, read from the topics like by any other reader. */
export class ServedRun implements ServedGraph {
  readonly name: string;
  readonly relations: readonly Relation[];
  readonly spaces: Spaces;
  readonly activity: Activity;
  readonly #options: ServeOptions;
  readonly #eventLog: EventLog;
  readonly #vectorTopics: readonly string[];
  readonly #vectorFeed: VectorFeed;
  readonly #feed: ActivityFeed;
  readonly #eventTopics: readonly string[];
  readonly #surfaces: readonly Surface[];
  /** Entities that were erased or came back in the run of records that is taken. */
  readonly #erasureChanged = new Set<EntityKey>();
  #topicIds: Readonly<Record<string, string>> = {};
  #vectors: Reading | undefined;
  #events: Reading | undefined;
  #timer: NodeJS.Timeout | undefined;
  #staleSince: number | undefined;
  /** Why the reading could not begin, the last time that it was tried. */
  #trouble: string | undefined;
  readonly #stopping = new AbortController();

  /** graph: a whole one; `wholeGraphs` gives those that are cut into shards. */
  constructor(config: Config, graph: GraphConfig, options: ServeOptions) {
    const { connection, log, edges, gate, scanners } = options;
    const prefix = config.topicPrefix;
    const modelTopic = topicName(prefix, modelName(graph.name));
    const topics = topicsOf(config, graph);
    const { relations } = graph.model;
    this.name = graph.name;
    this.relations = relations;
    this.#options = options;
    this.#surfaces = surfacesOf(config.surfaces, relations);
    this.#vectorTopics = [topicName(prefix, embeddingsName(graph.name)), modelTopic];
    this.#eventTopics = [...topics.keys()];
    this.spaces = new Spaces(
      graph.trainer.maxRows,
      () => this.#vectors?.caughtUp === true,
      scanners,
      (entity, at) => this.activity.hidesVector(entity, at),
    );
    this.activity = new Activity({
      edgesOfOne: EDGES_OF_ONE,
      edges,
      relations,
      sourcesOf: [
        ...this.#surfaces.flatMap(({ atMost }) => atMost?.by ?? []),
        // Who searched a query says what it is about.
        ...relations.filter(({ rhs }) => rhs === QUERY).map(({ name }) => name),
      ],
      clock: Date.now,
      erasureChanged: (entity) => this.#erasureChanged.add(entity),
    });
    const active = (entity: EntityKey, at: number) => this.spaces.active(entity, at);
    this.#feed = new ActivityFeed({ activity: this.activity, topics, limits: config.limits, active });
    this.#vectorFeed = new VectorFeed({
      graph: graph.name,
      types: graph.model.entityTypes,
      modelTopic,
      spaces: this.spaces,
      gate,
      skipped: (record) => {
        const { skippedRecords } = this.#vectorFeed;
        if (skippedRecords > LOGGED && skippedRecords % ONE_OF !== 0) return;
        log.warn(
          { graph: graph.name, ...record, skipped: skippedRecords },
          'skipped a record that is no vector of the graph',
        );
      },
      visible: (timestamp) => {
        if (this.#vectors?.caughtUp === true) options.visible(graph.name, Date.now() - timestamp);
      },
    });
    this.#eventLog = connection.log({
      handOverBytes: HAND_OVER_BYTES,
      onTrouble: ({ brokers, since, code, reason }) => {
        this.#staleSince ??= since;
        const at = new Date(since).toISOString();
        log.warn(
          { graph: graph.name, brokers, since: at, code, reason },
          `${brokers} can't be read since ${at}; lists are made of what was read`,
        );
      },
    });
  }

  /**
   * Begins to read, however long the brokers are out of reach. What has begun goes on meanwhile, since a topic that is read twice at
   * the same time would bring old vectors back. Ends early once it is stopped. @throws FatalError `topics-missing`.
   */
  async start(): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    const { log } = this.#options;
    const trouble = (error: unknown) => {
      this.#trouble = reasonOf(error);
      const reason = { graph: this.name, reason: this.#trouble };
      log.warn(reason, 'the topics can not be read yet; trying again');
    };
    try {
      await retrying(() => this.#start(), { signal, onTrouble: ({ error }) => trouble(error) });
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = reasonOf(error);
      if (!signal.aborted) throw error;
    }
  }

  async #start(): Promise<void> {
    const failed = (error: Error) => void this.#failed(error);
    const log = this.#eventLog;
    if (this.#vectors === undefined) this.#topicIds = await this.#idsOfTopics();
    const begin = (topics: readonly string[], takeRun: (run: RecordRun) => Promise<void> | undefined) => {
      // Requests that have arrived are handled before the next run: in a flood of records, nothing else would be.
      const take = async (run: RecordRun) => {
        await takeRun(run);
        await new Promise<void>((done) => setImmediate(done));
      };
      return Reading.begin({ log, topics, take, failed });
    };
    this.#vectors ??= await begin(this.#vectorTopics, (run) => this.#vectorFeed.take(run));
    this.#events ??= await begin(this.#eventTopics, (run) => this.#takeEvents(run));
    if (!this.#stopping.signal.aborted) this.#timer ??= setInterval(() => void this.#look(), LOOK_MS);
  }

  readonly eventsSince = (): number => this.#feed.since;
  readonly staleSince = (): number | undefined => this.#staleSince;

  /** Why nobody should ask now, a phrase each; none when the graph is ready. */
  unready(): readonly string[] {
    const reasons: string[] = [];
    const { name } = this;
    for (const [what, reading] of [
      ['vectors', this.#vectors],
      ['events', this.#events],
    ] as const) {
      if (reading?.caughtUp === true) continue;
      reasons.push(`${name}: ${Math.floor(100 * shareOf(reading))} % of the ${what} are read`);
    }
    if (this.#trouble !== undefined) reasons.push(`${name}: the topics can't be read: ${this.#trouble}`);
    const { current } = this.spaces;
    if (reasons.length === 0 && current !== undefined && current.relations.size === 0)
      reasons.push(`${name}: no relation vectors are read; is the updater older than this process?`);
    return reasons;
  }

  /** Whether the graph will be ready once it has read what is there: it is worth waiting for. */
  get isReading(): boolean {
    const isRead = this.#vectors?.caughtUp === true && this.#events?.caughtUp === true;
    return !isRead && this.#trouble === undefined;
  }

  snapshot(): ServedSnapshot {
    const { current, all } = this.spaces;
    const tables = (current?.types ?? []).map((type) => [type, current!.table(type)!] as const);
    return {
      graph: this.name,
      caughtUp: this.unready().length === 0,
      lag: this.#vectors?.lag ?? 0,
      staleSince: this.#staleSince,
      skipped: this.#vectorFeed.skippedRecords,
      refused: this.#vectorFeed.refusedRecords,
      vectors: Object.fromEntries(tables.map(([type, table]) => [type, table.size])),
      bytes: all.reduce(
        (sum, space) => sum + space.types.reduce((of, type) => of + space.table(type)!.bytes, 0),
        0,
      ),
      spaces: all.length,
      rejected: this.#feed.rejected,
      edges: this.activity.edges,
      forgotten: this.activity.forgotten,
    };
  }

  /** Where the graph is, for people. */
  status(): ServedStatus {
    const { current } = this.spaces;
    const { vectors, staleSince } = this.snapshot();
    return {
      graph: this.name,
      reasons: [...this.unready()],
      relations: [...this.relations],
      surfaces: this.#surfaces.map(({ name, from, to }) => ({ name, from: [...from], to })),
      space: current?.space ?? '',
      step: current?.step ?? 0,
      staleSince: staleSince ?? null,
      vectorsAsOf: current?.at ?? 0,
      eventsAsOf: this.activity.at,
      eventsSince: this.#feed.since,
      vectors,
      read: { vectors: shareOf(this.#vectors), events: shareOf(this.#events) },
    };
  }

  /** Whether everything is read that is in the topics now. @throws RetryableError while the log is out of reach. */
  async isUpToDate(): Promise<boolean> {
    const readings = [this.#vectors, this.#events];
    await Promise.all(readings.map((reading) => reading?.look()));
    return readings.every((reading) => reading?.caughtUp === true && reading.lag === 0);
  }

  /** Idempotent; nothing begins afterwards. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await this.#eventLog.close();
  }

  /** An erasure is in the tables once this is done: it does not wait for the tombstone. */
  #takeEvents(run: RecordRun): Promise<void> | undefined {
    this.#feed.take(run);
    if (this.#erasureChanged.size === 0) return undefined;
    const changed = [...this.#erasureChanged];
    this.#erasureChanged.clear();
    return this.#options.gate.write(() => {
      for (const entity of changed) this.spaces.judge(entity);
    });
  }

  async #look(): Promise<void> {
    try {
      await this.#sameTopics();
      await Promise.all([this.#vectors?.look(), this.#events?.look()]);
      this.#staleSince = undefined;
    } catch (error) {
      if (error instanceof RetryableError) this.#staleSince ??= Date.now();
      else this.#options.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** A topic that was deleted and recreated also ends the reading as missing, or out of range: neither says what to do. */
  async #failed(error: Error): Promise<void> {
    const remade = await this.#sameTopics().then(
      () => undefined,
      (reason) => (reason instanceof TwhinError && reason.code === 'topic-remade' ? reason : undefined),
    );
    this.#options.failed(remade ?? error);
  }

  /** @throws FatalError `topic-remade`, `topics-missing`; RetryableError while the brokers are out of reach. */
  async #sameTopics(): Promise<void> {
    refuseRecreated(
      this.#topicIds,
      await this.#idsOfTopics(),
      () => 'Start twhin serve again: it reads the new topic from its start.',
    );
  }

  #idsOfTopics(): Promise<Record<string, string>> {
    return this.#eventLog.topicIds([...this.#vectorTopics, ...this.#eventTopics]);
  }
}

/** The share that is read of what there was at the start. */
function shareOf(reading: Reading | undefined): number {
  if (reading?.caughtUp === true) return 1;
  return reading === undefined || reading.whole === 0 ? 0 : 1 - reading.lag / reading.whole;
}
