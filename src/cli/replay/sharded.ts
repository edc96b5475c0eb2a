import { rm } from 'node:fs/promises';
import { exchangeName, topicName } from '../../../topics/index.ts';
import { keepOnExit, removeOnExit } from '../../adapters/leftovers.ts';
import type { Replaying } from '../../compose/replay.ts';
import { composeTogether, meetingTopic } from '../../compose/shards.ts';
import { UsageError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { recordsIn } from '../../replay/partition.ts';
import { ProgressMeter } from '../../replay/progress.ts';
import { openForWriting } from '../../state/open.ts';
import { type StorePlace, writeOrigin } from '../../state/places.ts';
import { count } from '../format.ts';
import { ALL_READ, planReplay, type ReplayOutside, yieldProcessor } from './plan.ts';
import { keepProgress, keptProgress, reportReplay } from './progress.ts';
import { type ReplayRecord, writeReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';
import type { Trained } from './result.ts';
import { settleShards, type TopicEnds } from './settled-shards.ts';
import { saySharded } from './sharded-result.ts';
import { earlierReplay, removeReplay } from './store.ts';

/**
 * A replay of all shards of a graph in this process, each into a store of its own. All read the log in step, and what one sends
 * another is on no log: a replay that was interrupted begins anew. Stores count as finished together or not at all.
 */
export class ShardedReplay {
  readonly #request: ReplayRequest;
  /** In the order of the shards. */
  readonly #places: readonly StorePlace[];
  readonly #outside: ReplayOutside;
  /** Folders of stores that this process has begun: of no use to anybody until all are finished. */
  readonly #unfinished = new Set<string>();

  constructor(request: ReplayRequest, places: readonly StorePlace[], outside: ReplayOutside) {
    this.#request = request;
    this.#places = places;
    this.#outside = outside;
  }

  /** Gives false if it was interrupted before the end of the range. */
  async run(): Promise<boolean> {
    const { options, parts } = this.#request;
    const { connection, reader, log, context } = this.#outside;
    if (options.restart !== true) {
      const finished = await this.#finished();
      if (finished !== undefined) {
        context.output.err(`${options.into} was finished at ${finished.finished}; nothing was read again`);
        await saySharded(this.#request, this.#places, finished, context.output);
        return true;
      }
    }
    const record = await context.ask(planReplay(this.#request, reader, log), connection.describe);
    for (const [i, part] of parts.entries()) await removeReplay(part, this.#places[i]!);
    yieldProcessor(options, log);
    const trained = await this.#make(record);
    if (trained === undefined) return false;
    const finished = { ...record, finished: new Date().toISOString() };
    await this.#write(finished);
    await saySharded(this.#request, this.#places, finished, context.output, trained);
    return true;
  }

  /** Makes all stores; undefined where a signal ended that. A replay that does not come to its end leaves no store. */
  async #make(record: ReplayRecord): Promise<Trained | undefined> {
    try {
      const trained = await this.#train(record);
      if (trained !== undefined) {
        await this.#settle();
        this.#keepAll();
      }
      return trained;
    } finally {
      for (const folder of this.#unfinished) await rm(folder, { recursive: true, force: true });
      this.#keepAll();
    }
  }

  #keepAll(): void {
    for (const folder of this.#unfinished) keepOnExit(folder);
    this.#unfinished.clear();
  }

  /**
   * The record of an earlier replay that has trained all stores to their end.
   * @throws UsageError where it was asked something else, or where some stores are of a replay that the others do not have.
   */
  async #finished(): Promise<ReplayRecord | undefined> {
    const { options, parts } = this.#request;
    const records: (ReplayRecord | undefined)[] = [];
    for (const place of this.#places) records.push(await earlierReplay(this.#request, place));
    const finished = records.find((record) => record !== undefined && record.finished !== null);
    if (finished === undefined) return undefined;
    const strange = records.findIndex((record) => record?.space !== finished.space);
    if (strange >= 0) {
      throw new UsageError(
        `--into: ${options.into} is a finished replay of other shards, and ${parts[strange]!.name} has another one or none in ` +
          `${this.#places[strange]!.folder}; give another name, or begin anew with --restart`,
      );
    }
    // All were trained to the end before the first was marked.
    await this.#write(finished);
    return finished;
  }

  async #write(record: ReplayRecord): Promise<void> {
    const { parts } = this.#request;
    for (const [i, place] of this.#places.entries())
      await writeReplayRecord(place, { ...record, graph: parts[i]!.name });
  }

  /** Opens the stores of all shards, for `opened` to close. */
  async #open(opened: AsyncDisposableStack): Promise<GraphStore[]> {
    const { world } = this.#outside.context;
    const stores: GraphStore[] = [];
    for (const [i, part] of this.#request.parts.entries()) {
      const place = this.#places[i]!;
      stores.push(opened.use(await openForWriting(part, { place, openStore: world.openStore })));
      this.#unfinished.add(place.folder);
      removeOnExit(place.folder);
    }
    return stores;
  }

  /** Trains all shards to the end of the range; undefined where that was interrupted. */
  async #train(record: ReplayRecord): Promise<Trained | undefined> {
    const { config, parts, options, set } = this.#request;
    const { reader, log } = this.#outside;
    await using opened = new AsyncDisposableStack();
    const stores = await this.#open(opened);
    for (const place of this.#places)
      await writeOrigin(place, { from: 'replay', set: [...set], since: record.since });
    await this.#write(record);
    const replaying = composeTogether(config, parts, {
      log,
      pace: options,
      eventLog: reader,
      range: record.range,
      topicIds: record.topicIds,
      space: record.space,
      stores,
    });
    // From here on each updater closes its store.
    opened.move();
    const started = performance.now();
    if (!(await this.#runAll(replaying, record))) return undefined;
    return { seconds: (performance.now() - started) / 1000, rejected: replaying[0]!.rejected };
  }

  /** Gives false where a signal ended the shards. Where one fails, all end. */
  async #runAll(replaying: readonly Replaying[], { range }: ReplayRecord): Promise<boolean> {
    const { graph, options } = this.#request;
    const { log, context } = this.#outside;
    const { output, stopping } = context;
    const { updater, merged } = replaying[0]!;
    let interrupted = false;
    const abandonAll = () => replaying.map((each) => each.updater.abandon()).includes(true);
    const stop = () => {
      interrupted = abandonAll();
      if (!interrupted) output.err(ALL_READ);
    };
    stopping.addEventListener('abort', stop);
    if (stopping.aborted) stop();
    const meter = new ProgressMeter(range, (stretch) => merged.reached(stretch), Date.now);
    const fields = { graph: graph.name, into: options.into, shards: replaying.length };
    const reporting = reportReplay(meter, () => updater.progress().phase, fields, { log, output });
    const keeping = this.#places.map((place, i) =>
      keepProgress(place, () => keptProgress(meter.read(), replaying[i]!.updater.progress()), log),
    );
    try {
      const runs = replaying.map((each) => each.updater.run({ untilCaughtUp: true }));
      for (const run of runs) run.catch(abandonAll);
      // Each closes its store, also where another one failed.
      const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    } finally {
      reporting.stop();
      for (const each of keeping) await each.stop();
      stopping.removeEventListener('abort', stop);
    }
    if (interrupted) {
      output.err(
        `interrupted after ${count(meter.read().done)} of ${count(recordsIn(range))} records; the same command begins anew`,
      );
    }
    return !interrupted;
  }

  /** Makes the trained stores what shards can go on from. */
  async #settle(): Promise<void> {
    const { graph, parts } = this.#request;
    const { connection, context } = this.#outside;
    const ends = await context.ask(this.#exchangeEnds(), connection.describe);
    await using opened = new AsyncDisposableStack();
    const stores = await this.#open(opened);
    try {
      await settleShards(stores, meetingTopic(parts), ends, (done) =>
        context.output.status(`${graph.name}: ${count(done)} copies of other shards' vectors renewed`),
      );
    } finally {
      context.output.statusDone();
    }
  }

  /** Where the live shards' exchange topic ends now; undefined where it is not there. */
  async #exchangeEnds(): Promise<TopicEnds | undefined> {
    const { config, graph } = this.#request;
    const { connection, reader } = this.#outside;
    const topic = topicName(config.topicPrefix, exchangeName(graph.name));
    const [there] = await connection.admin().describe([topic]);
    if (there === undefined) return undefined;
    const ranges = await reader.ranges([topic]);
    return { topic, id: (await reader.topicIds([topic]))[topic], ends: ranges };
  }
}
