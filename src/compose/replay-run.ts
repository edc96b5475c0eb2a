import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { LogConnection } from '../adapters/connect.ts';
import type { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Log } from '../log.ts';
import type { EventLog, PartitionRange } from '../pipeline/ports.ts';
import type { Bound } from '../replay/bound.ts';
import { leftOf, partitionName, recordsIn, resolveRange } from '../replay/range.ts';
import { databaseFolder, openForWriting, readHead } from '../state/open.ts';
import { type Origin, type ReplayRecord, readOrigin, type StorePlace, writeOrigin } from '../state/places.ts';
import { exchangeStart } from './exchange-start.ts';
import { freshSpace } from './graph-updater.ts';
import { composeReplay, meetingTopic, type TrainingWatch, trainToEnd } from './replay.ts';
import { shadowTopic } from './shadow-topic.ts';

export interface ReplayOrder {
  readonly config: Config;
  /** The graph, whole, with the settings of the replay. */
  readonly graph: GraphConfig;
  /** What is trained: the graph itself, or each of its shards. */
  readonly parts: readonly GraphConfig[];
  /** The place of each part's store. */
  readonly places: readonly StorePlace[];
  /** Name of the stores. */
  readonly into: string;
  /** Full names of the topics it reads. */
  readonly topics: readonly string[];
  /** Both ends as typed. */
  readonly asked: { readonly from: string; readonly until: string };
  readonly range: { readonly from: Bound; readonly until: Bound };
  /** Only of a whole graph. */
  readonly publish: string | undefined;
  /** Settings over the configuration file: those of the live store, then those of the replay. */
  readonly set: readonly string[];
  /** Stands for all settings that decide the bytes of the store. */
  readonly settings: string;
  readonly restart: boolean;
}

/** What a replay reads from and reports to. */
export interface ReplayOutside {
  readonly connection: LogConnection;
  readonly reader: EventLog;
  readonly log: Log;
  readonly openStore: typeof openRocksdb;
  /** Bounds how long an answer of the brokers may take. */
  answered<T>(work: Promise<T>): Promise<T>;
  readonly watch: TrainingWatch;
}

/** A replay that has come to its end. */
export interface FinishedReplay {
  readonly record: ReplayRecord;
  /** Absent: an earlier process trained all of it. */
  readonly trained?: {
    readonly seconds: number;
    /** Records that could not be used, by reason. */
    readonly rejected: ReadonlyMap<string, number>;
  };
}

/**
 * A replay into a store, or into one for each shard of a graph. A whole graph goes on from the last commit of an earlier process.
 * Shards read the log in step, and what one sends another is on no log: a replay of shards that was interrupted starts from scratch.
 */
export class ReplayRun {
  readonly #order: ReplayOrder;
  readonly #outside: ReplayOutside;
  readonly #topic: ReturnType<typeof shadowTopic> | undefined;

  constructor(order: ReplayOrder, outside: ReplayOutside) {
    const { publish } = order;
    this.#topic =
      publish === undefined ? undefined : shadowTopic(publish, outside.connection, outside.reader);
    this.#order = order;
    this.#outside = outside;
  }

  /** Undefined where it was interrupted before the end of the range. */
  async run(): Promise<FinishedReplay | undefined> {
    const { graph, places, parts, restart } = this.#order;
    const { answered } = this.#outside;
    if (restart) {
      await answered(this.#topic?.check(undefined, false) ?? nothing);
      await this.#remove();
    }
    const earlier = await this.#earlier();
    const record = await answered(earlier === undefined ? this.#plan() : this.#goOn(earlier));
    if (record.finished !== null) return { record };
    const goesOn = earlier !== undefined && (await readHead(parts[0]!, places[0])) !== undefined;
    await answered(this.#topic?.make(graph.name, record.space, goesOn) ?? nothing);
    if (earlier === undefined) await this.#remove();
    const trained = await this.#train(record, record !== earlier);
    if (trained === undefined) {
      // Nothing goes on from what is left of shards.
      if (parts.length > 1) await this.#remove();
      return undefined;
    }
    if (parts.length > 1) await this.#settle();
    const finished = { ...record, finished: new Date().toISOString() };
    await this.#write(finished);
    return { record: finished, trained };
  }

  /**
   * What an earlier replay left to go on from. Shards leave that only where all were trained to their end.
   * @throws UsageError where it was asked something else, or where the stores are not of one replay.
   */
  async #earlier(): Promise<ReplayRecord | undefined> {
    const { parts, places, into } = this.#order;
    const records: (ReplayRecord | undefined)[] = [];
    for (const [i, place] of places.entries()) records.push(await this.#earlierIn(parts[i]!, place));
    if (parts.length === 1) return records[0];
    const finished = records.find((record) => record !== undefined && record.finished !== null);
    if (finished === undefined) return undefined;
    const strange = records.findIndex((record) => record?.space !== finished.space);
    if (strange >= 0)
      throw refused(
        `${into} is a finished replay of other shards, and ${parts[strange]!.name} has another one or none`,
      );
    // All were trained to the end before the first was marked.
    await this.#write(finished);
    return finished;
  }

  async #earlierIn(part: GraphConfig, place: StorePlace): Promise<ReplayRecord | undefined> {
    const origin = readOrigin(place);
    const head = await readHead(part, place);
    if (origin?.replay === undefined) {
      if (head === undefined && origin === undefined) return undefined;
      throw noReplay(place);
    }
    this.#refuseOther(origin, origin.replay, place);
    for (const stretch of origin.replay.range) {
      const read = head?.positions[stretch.topic]?.[stretch.partition]?.offset ?? 0;
      if (read <= stretch.until) continue;
      throw refused(
        `${place.name} was run on after its replay: ${partitionName(stretch)} is read up to offset ${read}, the replay's range ends at ${stretch.until}`,
      );
    }
    return origin.replay;
  }

  #refuseOther({ set }: Origin, record: ReplayRecord, { name }: StorePlace): void {
    const { asked, publish, settings, set: over } = this.#order;
    const options = [
      ['--from', record.from, asked.from],
      ['--until', record.until, asked.until],
      ['--publish', record.publish ?? 'nothing', publish ?? 'nothing'],
      ['settings over the configuration', set.join(' ') || 'none', over.join(' ') || 'none'],
    ] as const;
    const differing = options.flatMap(([what, was, is]) =>
      was === is ? [] : [`  ${what}: it has ${was}, seen ${is}`],
    );
    if (record.settings !== settings && differing.length === 0)
      differing.push('  the configuration of topics, model or training is another one');
    if (differing.length === 0) return;
    throw refused(
      `${name} is a replay that was asked something else:\n${differing.join('\n')}\nAsk the same again to go on with it`,
    );
  }

  /** Removes what an earlier replay left. @throws UsageError where a store is no replay's, FatalError where it is in use. */
  async #remove(): Promise<void> {
    const { parts, places } = this.#order;
    for (const [i, place] of places.entries()) {
      if (!existsSync(place.folder)) continue;
      const [part, origin, isOpened] = [parts[i]!, readOrigin(place), existsSync(databaseFolder(place))];
      // A replay that was killed at its start has left a database without a commit, and no origin.
      const isBegun = origin === undefined && isOpened && (await readHead(part, place)) === undefined;
      if (origin?.replay === undefined && !isBegun) throw noReplay(place);
      if (isOpened) await (await openForWriting(part, { place })).close();
      await rm(place.folder, { recursive: true });
    }
  }

  /** What a replay that begins now is to read, with a space of its own. @throws UsageError as `resolveRange` does. */
  async #plan(): Promise<ReplayRecord> {
    const { topics, asked, range, publish = null, settings, set } = this.#order;
    const { reader, log } = this.#outside;
    const { stretches, shortened } = await resolveRange(reader, topics, range.from, range.until);
    for (const partition of shortened)
      log.warn({ ...this.#names, partition: partitionName(partition), low: partition.low }, OLDER_GONE);
    log.info({ ...this.#names, records: recordsIn(stretches), set }, 'a new replay');
    return {
      ...asked,
      publish,
      settings,
      range: [...stretches],
      topicIds: { ...(await reader.topicIds(topics)) },
      space: freshSpace(),
      finished: null,
    };
  }

  /** The rest of an earlier replay. That of a whole graph up to the latest record goes on to what is the latest now. */
  async #goOn(earlier: ReplayRecord): Promise<ReplayRecord> {
    const { parts, places, topics, range } = this.#order;
    const { reader, log } = this.#outside;
    if (earlier.finished !== null && (parts.length > 1 || range.until.kind !== 'latest')) return earlier;
    const record = earlier.finished === null ? earlier : extended(earlier, await reader.ranges(topics));
    if (record.finished !== null) return record;
    const head = await readHead(parts[0]!, places[0]);
    const read = { positions: head?.positions ?? {}, topicIds: record.topicIds };
    await leftOf(record.range, read, reader, 'Start from scratch with --restart.');
    const done = { events: head?.events.consumed ?? 0, step: head?.step ?? 0 };
    log.info({ ...this.#names, ...done }, 'going on with the replay');
    return record;
  }

  get #names(): { graph: string; into: string } {
    return { graph: this.#order.graph.name, into: this.#order.into };
  }

  async #write(record: ReplayRecord): Promise<void> {
    const { places, set } = this.#order;
    for (const place of places) {
      const since = readOrigin(place)?.since ?? new Date().toISOString();
      await writeOrigin(place, { from: 'replay', set: [...set], since, replay: record });
    }
  }

  async #open(opened: AsyncDisposableStack): Promise<GraphStore[]> {
    const { parts, places } = this.#order;
    const { openStore } = this.#outside;
    const stores: GraphStore[] = [];
    for (const [i, part] of parts.entries())
      stores.push(opened.use(await openForWriting(part, { place: places[i]!, openStore })));
    return stores;
  }

  /** changed: whether the record is to be written first, which is done while this process holds the stores. */
  async #train(record: ReplayRecord, changed: boolean): Promise<FinishedReplay['trained']> {
    const { config, parts } = this.#order;
    const { reader, log, watch } = this.#outside;
    await using opened = new AsyncDisposableStack();
    const stores = await this.#open(opened);
    if (changed) await this.#write(record);
    const { range, topicIds, space } = record;
    const published = this.#topic?.published(space);
    const reads = { log, eventLog: reader, range, topicIds, space, stores };
    const replaying = composeReplay(config, parts, { ...reads, published });
    // From here on each updater closes its store.
    opened.move();
    const started = performance.now();
    if (!(await trainToEnd(replaying, range, watch))) return undefined;
    return { seconds: (performance.now() - started) / 1000, rejected: replaying[0]!.rejected };
  }

  /**
   * Makes the stores of shards that were trained in one process what shards on a log can go on from. Copies stay as they are: at their
   * first use their owners send them, and an empty one asks. Runs and received ranges stay as well: they tell gradients of these
   * stores apart from then on. So do relation rows, which shards merge.
   */
  async #settle(): Promise<void> {
    const { config, parts } = this.#order;
    const { connection, reader, answered } = this.#outside;
    const ends = parts.map(({ shard }) => exchangeStart(config, shard!, connection, reader));
    const reached = await answered(Promise.all(ends));
    await using opened = new AsyncDisposableStack();
    for (const [i, store] of (await this.#open(opened)).entries()) {
      const head = await store.head();
      if (head === undefined)
        throw new FatalError('replay-store', `shard ${i} holds no commit; replay again with --restart`);
      // The topic in which they met is on no log.
      const { [meetingTopic(parts)]: _met, ...positions } = head.positions;
      const { positions: end, topicIds } = reached[i]!;
      await store.commit({
        head: { ...head, positions: { ...positions, ...end }, topicIds: { ...head.topicIds, ...topicIds } },
      });
    }
  }
}

function refused(what: string): UsageError {
  return new UsageError(`--into: ${what}; give another name, or start from scratch with --restart`);
}

function noReplay({ folder }: StorePlace): UsageError {
  return new UsageError(`--into: ${folder} holds no store of a replay; give another name`);
}

const nothing = Promise.resolve();
const OLDER_GONE = 'older records are gone from the log; the replay begins with the oldest record there';

/** A finished replay with what was appended since, not yet finished; the same where nothing was. */
function extended(record: ReplayRecord, ranges: readonly PartitionRange[]): ReplayRecord {
  const range = ranges.map(({ topic, partition, low, high }) => {
    const before = record.range.find((each) => each.topic === topic && each.partition === partition);
    return { topic, partition, from: before?.from ?? low, until: Math.max(high, before?.until ?? high) };
  });
  return recordsIn(range) > recordsIn(record.range) ? { ...record, range, finished: null } : record;
}
