import { refuseNoted } from '../graph/graph-store.ts';
import { fingerprint, lackingSections } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import { Counters } from './counters.ts';
import { sampleOf } from './entity-sample.ts';
import type { Lifecycle } from './lifecycle.ts';
import { LoadedPipeline } from './loaded-pipeline.ts';
import { LaterCheck } from './loading/completeness.ts';
import { type Recovered, recover } from './loading/recovery.ts';
import { EdgeFilter } from './reading/edge-filter.ts';
import { Ingest } from './reading/ingest.ts';
import { Lag } from './reading/lag.ts';
import { OffsetLedger } from './reading/offset-ledger.ts';
import { Unwritten } from './reading/unwritten.ts';
import { areMass, Rejections } from './rejections.ts';
import type { TrainingSummary } from './training/summary.ts';
import { TrainingLine } from './training/training-line.ts';
import { followedTopics, type UpdaterOptions, writtenTopics } from './updater-options.ts';
import { Cadence } from './writing/cadence.ts';
import { Checkpointer } from './writing/checkpointer.ts';
import { Committer } from './writing/committer.ts';
import { Publisher } from './writing/publish.ts';
import { RelationVectors } from './writing/relation-vectors.ts';
import { TopicWatch } from './writing/topic-identity.ts';
import { Writer } from './writing/writer.ts';

/** Loads the store, and puts a pipeline together on it. @throws FatalError when the store can't be used. */
export async function loadPipeline(
  given: UpdaterOptions,
  lifecycle: Lifecycle,
  summary: TrainingSummary,
  failed: (error: Error) => void,
): Promise<LoadedPipeline> {
  const { model, store, modelTopic, neighbourhood, measures = {} } = given;
  await refuseNoted(store, followedTopics(given));
  const space = await neighbourhood.space(given.freshSpace, lifecycle.ends);
  const { laterCheck, ...loaded } = await load(given, failed);
  const { head, index, erasedAt, absent, unsent, trained, trainer } = loaded;
  const options = { ...given, trainer };
  const topics = followedTopics(options);
  const counters = new Counters(head);
  const rejections = new Rejections({ ...options, topics: options.topics.keys() });
  const ledger = new OffsetLedger(head?.positions);
  const lag = new Lag({ ...options, topics, ledger });
  const sample = sampleOf(trainer, index);
  const writer = new Writer(head, { role: options.role, together: neighbourhood.together }, space);
  const topicWatch = new TopicWatch({ ...options, topics, written: writtenTopics(options), writer, failed });
  const neighbours = neighbourhood.open({
    ...options,
    head,
    index,
    absent,
    unsent,
    space: writer.space,
    erased: (key) => erasedAt.has(store.erasedName(key)),
    failed,
  });
  const unwritten = new Unwritten();
  const isTrained = () => pipeline.isTrained;
  const shared = { ...options, index, counters, neighbours, writer, measures, unwritten, ledger, isTrained };
  const ingest = new Ingest({ ...shared, erasedAt, stored: laterCheck?.stored ?? new EdgeFilter(true) });
  const journal = (packed: Uint8Array) => unwritten.open.batches.push(packed);
  const training = new TrainingLine({ ...shared, limits: loaded.limits, summary, journal, failed });
  const cadence = new Cadence(options.tuning, options.clock);
  const checkpointer = new Checkpointer(options, head);
  unwritten.open.due = loaded.due;
  // Published vectors are the whole graph's, whichever shard trained them.
  const graph = graphOf({ name: options.graph, shard: options.shard });
  const identity = { graph, fingerprint: fingerprint(model) };
  const watermark = () => committer.watermark;
  const publisher = new Publisher({
    ...shared,
    topic: options.embeddingsTopic,
    header: { ...identity, dim: model.dim, dtype: 'float32' },
    relations: modelTopic && new RelationVectors({ ...shared, ...identity, topic: modelTopic, watermark }),
    watermark,
    failed,
  });
  const writing = { ...shared, publisher, checkpointer, training };
  const committer: Committer = new Committer(writing, head);
  summary.step = committer.step;
  const parts = { ...writing, lifecycle, summary, cadence, committer, topicWatch, laterCheck, trained };
  const pipeline = new LoadedPipeline({ ...parts, rejections, lag, sample, ingest });
  if (head && loaded.lacksEdges) await checkpointer.complete(head);
  trained.then((of) => pipeline.trained(of)).catch(failed);
  return pipeline;
}

/** What the store holds, and who counts its edges later. */
async function load(
  { graph, model, store, trainer, clock, log, shard, neighbourhood }: UpdaterOptions,
  failed: (error: Error) => void,
): Promise<Recovered & { laterCheck: LaterCheck | undefined }> {
  const began = clock();
  const loaded = await recover(store, trainer, graph, model, clock, { shard, neighbourhood });
  const { head, index, took } = loaded;
  const laterCheck = head && new LaterCheck(store, head, failed);
  // It counts what the head counts, and so has to look before the next commit.
  await laterCheck?.begun;
  const fields = { graph, entities: index.size, step: head?.step ?? 0, outbox: head?.outbox ?? 0 };
  log.info({ ...fields, ms: clock() - began, ...took }, head ? 'store loaded' : 'store is new');
  const sections = head ? lackingSections(head) : [];
  if (sections.length > 0)
    log.info(
      { graph, sections },
      'the store lacks sections of this version: they begin empty, and a replay fills them',
    );
  if (head && areMass(head.events.rejected, head.events.consumed)) {
    const { rejected, consumed } = head.events;
    log.info(
      { graph, rejected, consumed },
      'many records of this store were rejected; if the definition of a topic was wrong and is right now, --reread TOPIC reads the topic from its start and counts no event twice',
    );
  }
  return { ...loaded, laterCheck };
}
