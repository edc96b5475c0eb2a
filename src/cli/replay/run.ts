import { composeReplay } from '../../compose/replay.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { recordsIn } from '../../replay/partition.ts';
import { ProgressMeter } from '../../replay/progress.ts';
import { openForWriting } from '../../state/open.ts';
import { type StorePlace, writeOrigin } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { dryRun } from './dry-run.ts';
import { ALL_READ, planReplay, type ReplayOutside, yieldProcessor } from './plan.ts';
import { keepProgress, keptProgress, reportReplay } from './progress.ts';
import { ShadowTopic } from './publish.ts';
import { type ReplayRecord, writeReplayRecord } from './record.ts';
import type { ReplayRequest } from './request.ts';
import { sayResult } from './result.ts';
import { ShardedReplay } from './sharded.ts';
import { checkStillThere, earlierReplay, headOf, removeReplay } from './store.ts';

/** Runs the replay. Gives false if it was interrupted before the end of the range. */
export async function replay(request: ReplayRequest, context: CommandContext): Promise<boolean> {
  await using connection = await context.connect(request.config);
  await using reader = connection.log();
  const { places, parts } = request;
  if (request.options.dryRun === true || places === undefined) {
    await context.ask(dryRun(request, reader, context.output), connection.describe);
    return true;
  }
  const outside = { connection, reader, log: context.log(), context };
  if (parts.length > 1) return await new ShardedReplay(request, places, outside).run();
  return await new Replay(request, places[0]!, outside).run();
}

/** A replay into a store, from its start or from the last commit of an earlier process. */
class Replay {
  readonly #request: ReplayRequest;
  readonly #place: StorePlace;
  readonly #outside: ReplayOutside;
  readonly #topic: ShadowTopic | undefined;

  constructor(request: ReplayRequest, place: StorePlace, outside: ReplayOutside) {
    const { publish } = request;
    this.#topic =
      publish === undefined ? undefined : new ShadowTopic(publish, outside.connection, outside.reader);
    this.#request = request;
    this.#place = place;
    this.#outside = outside;
  }

  async run(): Promise<boolean> {
    const { options, graph } = this.#request;
    const { connection, context } = this.#outside;
    if (options.restart === true) {
      const anew = { graph: graph.name, space: undefined, goesOn: false };
      if (this.#topic) await context.ask(this.#topic.check(anew), connection.describe);
      await removeReplay(graph, this.#place);
    }
    const earlier = await earlierReplay(this.#request, this.#place);
    if (earlier !== undefined && earlier.finished !== null) {
      context.output.err(`${this.#place.name} was finished at ${earlier.finished}; nothing was read again`);
      await sayResult(this.#request, this.#place, earlier, context.output);
      return true;
    }
    const record = await context.ask(this.#plan(earlier), connection.describe);
    const goesOn = earlier !== undefined && (await headOf(graph, this.#place)) !== undefined;
    const owner = { graph: graph.name, space: record.space, goesOn };
    if (this.#topic) await context.ask(this.#topic.make(owner), connection.describe);
    yieldProcessor(options, this.#outside.log);
    const store = await openForWriting(graph, {
      place: this.#place,
      openStore: context.world.openStore,
    });
    try {
      if (earlier === undefined) await this.#begin(record);
    } catch (error) {
      await store.close();
      throw error;
    }
    return await this.#train(record, store);
  }

  /** The range to read: resolved at the first start, and read from the record later. */
  async #plan(earlier: ReplayRecord | undefined): Promise<ReplayRecord> {
    const { graph, topics } = this.#request;
    const { reader, log } = this.#outside;
    const names = { graph: graph.name, into: this.#place.name };
    if (earlier !== undefined) {
      const head = await headOf(graph, this.#place);
      const now = { topicIds: await reader.topicIds(topics), ranges: await reader.ranges(topics) };
      checkStillThere(earlier, head?.offsets ?? {}, now);
      log.info(
        { ...names, events: head?.events.consumed ?? 0, step: head?.step ?? 0 },
        'going on with the replay',
      );
      return earlier;
    }
    return planReplay(this.#request, reader, log);
  }

  /** Called while the store is open for writing, so that a second process was refused before. */
  async #begin(record: ReplayRecord): Promise<void> {
    await writeOrigin(this.#place, { from: 'replay', set: [...this.#request.set], since: record.since });
    await writeReplayRecord(this.#place, record);
  }

  async #train(record: ReplayRecord, store: GraphStore): Promise<boolean> {
    const { config, graph, publish, options } = this.#request;
    const { reader, log, context } = this.#outside;
    const { updater, merged, rejected } = composeReplay(config, graph, {
      log,
      pace: options,
      eventLog: reader,
      range: record.range,
      topicIds: record.topicIds,
      space: record.space,
      store,
      published:
        this.#topic && publish !== undefined
          ? { topic: publish, modelTopic: this.#topic.modelTopic, sink: this.#topic.sink(record.space) }
          : undefined,
    });
    let abandoned = false;
    const stop = () => {
      abandoned = updater.abandon();
      if (!abandoned) context.output.err(ALL_READ);
    };
    const { stopping } = context;
    stopping.addEventListener('abort', stop);
    if (stopping.aborted) stop();
    const meter = new ProgressMeter(record.range, (stretch) => merged.reached(stretch), Date.now);
    const fields = { graph: graph.name, into: this.#place.name };
    const reporting = reportReplay(meter, () => updater.progress().phase, fields, {
      log,
      output: context.output,
    });
    const keeping = keepProgress(this.#place, () => keptProgress(meter.read(), updater.progress()), log);
    const started = performance.now();
    try {
      await updater.run({ untilCaughtUp: true });
    } finally {
      reporting.stop();
      await keeping.stop();
      stopping.removeEventListener('abort', stop);
    }
    if (abandoned) {
      context.output.err(
        `interrupted after ${updater.progress().events.consumed} of ${recordsIn(record.range)} records; the same command goes on from the last commit`,
      );
      return false;
    }
    const finished = { ...record, finished: new Date().toISOString() };
    await writeReplayRecord(this.#place, finished);
    const seconds = (performance.now() - started) / 1000;
    await sayResult(this.#request, this.#place, finished, context.output, { seconds, rejected });
    return true;
  }
}
