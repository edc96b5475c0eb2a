import type { EntityIndex } from '../graph/entity-index.ts';
import { fingerprint } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import { Counters } from './counters.ts';
import { sampleOf } from './entity-sample.ts';
import type { Lifecycle } from './lifecycle.ts';
import { LaterCheck } from './loading/completeness.ts';
import { type Recovered, recover, type TrainedJournal } from './loading/recovery.ts';
import type { Neighbours } from './neighbours.ts';
import type { RecordRun } from './ports.ts';
import { EdgeFilter } from './reading/edge-filter.ts';
import type { Fetched } from './reading/erase.ts';
import { Ingest, type ReadRecord } from './reading/ingest.ts';
import { Lag } from './reading/lag.ts';
import { OffsetLedger } from './reading/offset-ledger.ts';
import { type PendingCommit, Unwritten } from './reading/unwritten.ts';
import { areMass, Rejections } from './rejections.ts';
import type { TrainingSummary } from './training/summary.ts';
import { TrainingLine } from './training/training-line.ts';
import { followedTopics, type UpdaterOptions } from './updater-options.ts';
import { Cadence } from './writing/cadence.ts';
import { Checkpointer } from './writing/checkpointer.ts';
import { Committer } from './writing/committer.ts';
import { Publisher } from './writing/publish.ts';
import { RelationVectors } from './writing/relation-vectors.ts';
import { takeOver } from './writing/take-over.ts';
import { sameTopics, TopicWatch } from './writing/topic-identity.ts';
import { Writer } from './writing/writer.ts';

/** Rows that a snapshot may have to set aside before the training waits for the disk: 128 MB at 128 numbers each. */
const MOST_SET_ASIDE = 262_144;
/** Longest wait for records, ms. */
const LONGEST_WAIT_MS = 1_000;

/** Loads the store, and puts a pipeline together on it. @throws FatalError when the store can't be used. */
export async function loadPipeline(
  options: UpdaterOptions,
  lifecycle: Lifecycle,
  summary: TrainingSummary,
  failed: (error: Error) => void,
): Promise<LoadedPipeline> {
  const { graph, model, store, trainer, clock, log, shard, neighbourhood } = options;
  const space = await neighbourhood.space(options.freshSpace, lifecycle.ends);
  const began = clock();
  const loaded = await recover(store, trainer, graph, model, clock, { shard, neighbourhood });
  const { head, index, took, trained } = loaded;
  const laterCheck = head && new LaterCheck(store, head, failed);
  // It counts what the head counts, and so has to look before the next commit.
  await laterCheck?.begun;
  const fields = { graph, entities: index.size, step: head?.step ?? 0, outbox: head?.outbox ?? 0 };
  log.info({ ...fields, ms: clock() - began, ...took }, head ? 'store loaded' : 'store is new');
  if (head && areMass(head.events.rejected, head.events.consumed)) {
    const { rejected, consumed } = head.events;
    log.info(
      { graph, rejected, consumed },
      'many records of this store were rejected; if the definition of a topic was wrong and is right now, --reread TOPIC reads the topic from its start and counts no event twice',
    );
  }
  const pipeline = new LoadedPipeline({
    options: { ...options, trainer: loaded.trainer },
    lifecycle,
    summary,
    failed,
    loaded,
    laterCheck,
    freshSpace: space,
  });
  if (head && loaded.lacksEdges) await pipeline.checkpointer.complete(head);
  trained.then((journal) => pipeline.trained(journal)).catch(failed);
  return pipeline;
}

interface PipelineParts {
  readonly options: UpdaterOptions;
  readonly lifecycle: Lifecycle;
  readonly summary: TrainingSummary;
  readonly loaded: Recovered;
  readonly laterCheck: LaterCheck | undefined;
  readonly freshSpace: string;
  failed(error: Error): void;
}

/** One graph's pipeline on its loaded store: records in, commits and checkpoints written, committed vectors published. */
export class LoadedPipeline {
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly rejections: Rejections;
  readonly ledger: OffsetLedger;
  readonly lag: Lag;
  readonly sample: ReturnType<typeof sampleOf>;
  readonly writer: Writer;
  readonly publisher: Publisher;
  readonly checkpointer: Checkpointer;
  readonly committer: Committer;
  readonly #options: UpdaterOptions;
  readonly #lifecycle: Lifecycle;
  readonly #summary: TrainingSummary;
  readonly #training: TrainingLine;
  readonly #cadence: Cadence;
  readonly #unwritten = new Unwritten();
  readonly #ingest: Ingest;
  readonly neighbours: Neighbours;
  readonly #topicWatch: TopicWatch;
  /** Counts the store's edges, which are not read as it is loaded. */
  readonly #laterCheck: LaterCheck | undefined;
  /** The checkpoint that a regular stop leaves. */
  #left: Promise<void> | undefined;
  /** Whether the store was loaded from its checkpoint alone, and no record was applied and no batch trained since. */
  #isIdle: boolean;
  /** The training of the journal. */
  readonly #journal: Promise<unknown>;
  /** Whether the journal is trained: until then, vectors are as of the checkpoint. */
  isTrained = false;
  /** The commit asked for last. */
  #committed: Promise<number> = Promise.resolve(0);

  constructor({ options, lifecycle, summary, failed, loaded, laterCheck, freshSpace }: PipelineParts) {
    const { model, store, measures = {} } = options;
    const { head, index, erasedAt, absent, unsent, limits } = loaded;
    const topics = followedTopics(options);
    this.#options = options;
    this.#lifecycle = lifecycle;
    this.#summary = summary;
    this.#laterCheck = laterCheck;
    this.#journal = loaded.trained;
    this.#isIdle = head !== undefined && head.commit === head.checkpoint;
    this.index = index;
    this.counters = new Counters(head);
    this.rejections = new Rejections({ ...options, topics: options.topics.keys() });
    this.ledger = new OffsetLedger(head?.offsets);
    this.lag = new Lag({ ...options, topics, ledger: this.ledger });
    this.sample = sampleOf(options.trainer, index);
    const { together } = options.neighbourhood;
    this.writer = new Writer(head, { role: options.role, together }, freshSpace);
    this.#topicWatch = new TopicWatch({ ...options, topics, writer: this.writer, failed });
    this.neighbours = options.neighbourhood.open({
      ...options,
      head,
      index,
      absent,
      unsent,
      space: this.writer.space,
      erased: (key) => erasedAt.has(store.erasedName(key)),
      failed,
    });
    const parts = {
      ...options,
      index,
      counters: this.counters,
      neighbours: this.neighbours,
      writer: this.writer,
      measures,
      unwritten: this.#unwritten,
      isTrained: () => this.isTrained,
    };
    this.#ingest = new Ingest({ ...parts, erasedAt, stored: laterCheck?.stored ?? new EdgeFilter(true) });
    this.#training = new TrainingLine({
      ...parts,
      limits,
      summary,
      journal: (packed) => this.#pending.batches.push(packed),
      failed,
    });
    this.#cadence = new Cadence(options.tuning, options.clock);
    this.checkpointer = new Checkpointer(options, head);
    this.#pending.due = loaded.due;
    const { modelTopic } = options;
    // Published vectors are the whole graph's, whichever shard trained them.
    const identity = {
      graph: graphOf({ name: options.graph, shard: options.shard }),
      fingerprint: fingerprint(model),
    };
    const watermark = () => this.committer.watermark;
    const relations =
      modelTopic && new RelationVectors({ ...parts, ...identity, topic: modelTopic, watermark });
    this.publisher = new Publisher({
      ...parts,
      topic: options.embeddingsTopic,
      header: { ...identity, dim: model.dim, dtype: 'float32' },
      relations,
      watermark,
      failed,
    });
    const { ledger, publisher, checkpointer } = this;
    const training = this.#training;
    this.committer = new Committer({ ...parts, ledger, publisher, checkpointer, training }, head);
    summary.step = this.committer.step;
  }

  /** Reading waits while more than allowed is not acknowledged: back-pressure from the topics that are written. */
  get outboxIsFull(): boolean {
    return this.publisher.outbox.size >= this.#options.tuning.maxOutbox || this.neighbours.behind;
  }

  /** How long to wait for records, ms: until the open batch or the next commit is due. */
  get waitMs(): number {
    return Math.min(this.#training.dueInMs, this.#options.tuning.commitMs, LONGEST_WAIT_MS);
  }

  /** Notes that the journal is trained. */
  trained({ strayed, edges, ms }: TrainedJournal): void {
    const { graph, log } = this.#options;
    this.isTrained = true;
    this.#training.busyMs += ms;
    if (edges > 0) log.info({ graph, journalEdges: edges, ms }, 'journal trained');
    if (strayed)
      log.info(
        { graph },
        'the journal led to other vectors than before, as with other settings, several threads, another kernel or in a shard; all that was moved or published since the checkpoint is published again',
      );
  }

  /** Begins what is looked at now and then. waiting: records that wait to be applied, see `Intake.backlog`. */
  look(waiting: number): void {
    this.#topicWatch.look();
    this.neighbours.look();
    this.#cadence.look(this.lag.appliedAt, waiting, this.publisher.outbox.oldest);
  }

  /**
   * Applies runs in the order read. A batch that is full goes to the trainer, and a commit that is due to the store,
   * before the next record is applied. since: when the oldest run arrived, epoch ms.
   */
  async apply(runs: readonly RecordRun[], since: number | undefined): Promise<void> {
    if (runs.length === 0) return;
    const { reads, fetched } = await this.#ingest.read(runs.flatMap(({ records }) => records));
    let first = 0;
    for (const { topic, partition, records, next } of runs) {
      for (let i = 0; i < records.length; i++) {
        this.#applyRecord(reads[first + i]!, fetched, since);
        if (!this.#batchIsFull) continue;
        this.lag.applied(records[i]!);
        this.ledger.advance('applied', topic, partition, records[i + 1]?.offset ?? next);
        await this.#train();
        await this.#commitWhenDue();
      }
      first += records.length;
      if (records.length > 0) this.lag.applied(records.at(-1)!);
      this.ledger.advance('applied', topic, partition, next);
    }
    this.rejections.look();
  }

  /** Trains the open batch and asks for a commit, each where it is due. */
  async trainAndCommit(): Promise<void> {
    if (this.#training.dueInMs === 0) await this.#train();
    await this.#commitWhenDue();
  }

  /** Becomes the graph's one writer, with everything in hand committed first: the topic is compared with the store. */
  async takeOver(): Promise<void> {
    const { graph, log, leadership } = this.#options;
    if (this.#pending.records > 0) await this.#flush();
    // The last commit may still be on its way, with no record after it.
    await this.#committed;
    this.#lifecycle.check();
    const due = await takeOver(this.#options, this, this.#lifecycle.ends);
    await leadership.commit(this.ledger.offsets('committed'), this.writer.note(this.committer.step));
    this.#beginWriting();
    this.#pending.due = [...this.#pending.due, ...due];
    // The epoch is claimed before anything is written under it. The journal may still be trained.
    await this.#commit();
    await this.committer.written;
    this.#lifecycle.check();
    const { epoch, space } = this.writer;
    log.info({ graph, epoch, space, republished: due.length }, 'leads the graph');
  }

  /** Publishes without asking anyone: nobody else writes a shadow's topic. topicIds: what the log says they are. */
  beginAlone(topicIds: Readonly<Record<string, string>>): void {
    this.writer.topicIds = sameTopics(this.writer.topicIds, topicIds);
    this.#beginWriting();
  }

  /** Writes everything in hand, all the way to the topic and back into the store. */
  async drain(): Promise<void> {
    const { graph, log } = this.#options;
    log.info({ graph, outbox: this.publisher.outbox.size }, 'reading has ended');
    if (this.#training.open.since !== undefined) await this.#train();
    await this.#committed;
    // Vectors that moved little are put up in slices, until none is left: memory stays bounded. Each is taken while the one
    // before is put up.
    this.#committed = this.#write(true);
    for (let put = 1; put > 0; ) {
      const before = this.#committed;
      this.#committed = this.#write(true);
      put = await before;
      if (this.outboxIsFull) await this.publisher.drained();
    }
    await this.#committed;
    this.#lifecycle.check();
    log.info(
      { graph, outbox: this.publisher.outbox.size },
      'all committed; waiting for the last vectors to be acknowledged',
    );
    const acknowledged = this.#acknowledged();
    const { head } = this.committer;
    const isSame = this.#isIdle && this.publisher.outbox.acknowledged + this.publisher.outbox.size === 0;
    if (head !== undefined)
      this.#left = this.checkpointer.leave({ ...head, outbox: 0 }, isSame, acknowledged);
    await acknowledged;
  }

  /** Whether all that was put up is acknowledged, once nothing more is sent. */
  async #acknowledged(): Promise<boolean> {
    await this.publisher.drained();
    await this.neighbours.sent();
    this.#lifecycle.check();
    return this.publisher.outbox.size === 0;
  }

  /** Ends what is under way. To be called once no record comes any more, and before the trainer and the store close. */
  async stop(): Promise<void> {
    this.committer.stop();
    this.neighbours.stop();
    try {
      await this.publisher.stop();
    } finally {
      await Promise.allSettled([
        this.#training.settled(),
        this.#committed,
        this.#journal,
        this.#laterCheck?.stop(),
      ]);
      await this.checkpointer.settled();
      await this.#left;
    }
  }

  #beginWriting(): void {
    this.publisher.begin();
    this.neighbours.begin();
  }

  get #pending(): PendingCommit {
    return this.#unwritten.open;
  }

  get #batchIsFull(): boolean {
    const { batchEdges } = this.#options.tuning;
    if (this.#training.open.edges >= batchEdges || this.neighbours.isFull(batchEdges)) return true;
    return this.#cadence.isFull(this.#pending);
  }

  #applyRecord(read: ReadRecord, fetched: Fetched, since: number | undefined): void {
    this.#isIdle = false;
    const options = this.#options;
    const { open } = this.#training;
    const pending = this.#pending;
    if (open.since === undefined) open.begin(options.clock(), since);
    pending.since ??= since;
    this.#ingest.apply(read, fetched, open);
    this.rejections.take(read.record, read.problem);
    // Only the leader writes dead letters: a standby that takes over finds those that the leader before did not come to.
    const letter = read.problem && this.publisher.open && options.deadLetter(read.record, read.problem);
    if (letter) pending.putDeadLetter(letter);
    pending.records++;
  }

  async #train(): Promise<void> {
    this.#isIdle = false;
    // A disk that is slower than the training is waited for, before the rows set aside outgrow the memory.
    if (this.#summary.setAside > MOST_SET_ASIDE) await this.checkpointer.slice();
    await this.#training.hand();
    this.#lifecycle.check();
  }

  async #commitWhenDue(): Promise<void> {
    if (this.#training.open.since !== undefined) return;
    if (this.#cadence.isDue(this.#pending, this.committer)) await this.#commit();
  }

  /** Trains and commits all in hand, and waits until it is written. */
  async #flush(): Promise<void> {
    if (this.#training.open.since !== undefined) await this.#train();
    await this.#commit();
    await this.#committed;
    this.#lifecycle.check();
  }

  /** Starts a commit; waits for the one before, so that at most one is being written behind the training. */
  async #commit(): Promise<void> {
    const before = this.#committed;
    this.#committed = this.#write(false);
    await before;
    this.#lifecycle.check();
  }

  /** Writes everything since the last commit. Gives how many vectors it put up for publishing; never rejects. */
  async #write(everything: boolean): Promise<number> {
    const pending = this.#unwritten.close();
    this.#cadence.asked();
    try {
      return await this.committer.commit(pending, { everything, holdMs: this.#cadence.holdMs });
    } catch (error) {
      this.#lifecycle.fail(error);
      return 0;
    }
  }
}
