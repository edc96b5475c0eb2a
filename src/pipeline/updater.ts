import { FatalError, reasonOf } from '../errors.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import { fingerprint } from '../graph/head.ts';
import { Committer } from './committer.ts';
import { Counters } from './counters.ts';
import { Ingest } from './ingest.ts';
import { OpenBatch } from './open-batch.ts';
import { PendingCommit } from './pending-commit.ts';
import type { SourceRecord } from './ports.ts';
import { Positions } from './positions.ts';
import { type Phase, type Progress, progressOf, TrainingSummary } from './progress.ts';
import { Publisher } from './publish.ts';
import { RecordQueue } from './queue.ts';
import { recover } from './recovery.ts';
import type { UpdaterOptions } from './updater-options.ts';

const READ_RECORDS = 1024;
/** Training calls handed over and not yet answered. Two keep the trainer busy while records are read. */
const MAX_TRAINING = 2;

/**
 * One graph's whole pipeline, read from top to bottom in `run`: records are read and applied, a full batch goes to
 * the trainer, a commit moves everything since the last one, and what moved is published.
 */
export class Updater {
  readonly #options: UpdaterOptions;
  readonly #queue: RecordQueue;
  readonly #summary: TrainingSummary;
  #phase: Phase = 'loading';
  #stopping = false;
  #abandoned = false;
  #failure: Error | undefined;
  #paused = false;
  /** Offsets passed over, of which the highest of each partition counts. */
  readonly #skips = new Positions();
  #batch = new OpenBatch();
  #pending = new PendingCommit();
  #training: Promise<void>[] = [];
  #lastCommit = 0;
  #committed: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #parts: Parts | undefined;

  constructor(options: UpdaterOptions) {
    this.#options = options;
    this.#queue = new RecordQueue(options.pace.queueBytes);
    this.#summary = new TrainingSummary(options.model.relations.map(({ name }) => name));
  }

  /**
   * Runs until `stop`, or until what was there at the start is consumed, trained, committed and published.
   * @throws FatalError when going on would lose something; the store then stands at its last commit.
   */
  async run(options: { untilCaughtUp?: boolean } = {}): Promise<void> {
    try {
      const parts = await this.#start();
      const waits = options.untilCaughtUp && !this.#stopping;
      const ends = waits ? await this.#options.source.ends() : undefined;
      while (!this.#stopping && !(ends && parts.read.reached(ends))) {
        const records = await this.#queue.take(READ_RECORDS, this.#waitMs());
        if (this.#failure) throw this.#failure;
        this.#resumeSource();
        if (records.length > 0) await this.#apply(parts, records);
        else this.#applySkips(parts);
        if (this.#batchIsDue(records.length === 0)) await this.#train();
        if (this.#commitIsDue(parts)) await this.#commit(parts);
      }
      if (!this.#abandoned) await this.#drain(parts);
      this.#phase = 'stopped';
    } catch (error) {
      this.#phase = 'failed';
      await this.close().catch((second: unknown) => {
        this.#options.log.error({ graph: this.#options.graph, reason: reasonOf(second) }, 'could not close');
      });
      throw error;
    }
    await this.close();
  }

  /** Ends `run` after the records in hand: trains, commits and publishes them. */
  stop(): void {
    this.#stopping = true;
    this.#queue.close();
    // One that waits for its brokers is to wait no longer. Closing stops it again and meets its failure, if any.
    if (this.#phase === 'joining') this.#options.source.stop().catch(() => undefined);
  }

  /** Ends `run` where the last commit stands: what came after it is to be read again, as after a kill. */
  abandon(): void {
    this.#abandoned = true;
    this.stop();
  }

  /** Lets go of all it was given, each whether or not the one before would; `run` ends with it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  progress(): Progress {
    const { graph } = this.#options;
    return progressOf({
      ...{ graph, phase: this.#phase, summary: this.#summary, queue: this.#queue },
      ...this.#parts,
    });
  }

  async #start(): Promise<Parts> {
    const { graph, model, store, trainer, source, sink, topics, limits, clock, log } = this.#options;
    const { head, index, outbox, erasedAt } = await recover(store, trainer, graph, model);
    const counters = new Counters(head);
    const read = new Positions(head?.offsets);
    const accepted = new Positions(head?.offsets);
    const ingest = new Ingest({ store, index, counters, erasedAt, topics, limits });
    const publisher = new Publisher({
      ...{ store, index, sink, clock, log, topic: this.#options.embeddingsTopic },
      header: { graph, dim: model.dim, dtype: 'float32', fingerprint: fingerprint(model) },
      step: () => committer.step,
      watermark: () => committer.watermark,
      failed: (error) => this.#fail(error),
    });
    const committer: Committer = new Committer(
      {
        ...{ graph, model, store, trainer, index, counters, publisher, sink, clock, log },
        overlay: ingest.overlay,
      },
      head,
    );
    const parts = { index, counters, read, ingest, publisher, committer };
    this.#parts = parts;
    this.#summary.step = head?.step ?? 0;
    this.#lastCommit = clock();
    log.info(
      { graph, entities: index.size, step: head?.step ?? 0, outbox: outbox.length },
      head ? 'store loaded' : 'store is new',
    );
    publisher.add(outbox, 0, undefined);
    if (this.#stopping) return parts;
    this.#phase = 'joining';
    if (this.#stopping) return parts;
    await source.start({
      position: (topic, partition) => accepted.get(topic, partition),
      accept: (records) => this.#accept(accepted, records),
      skipped: (topic, partition, offset) => {
        if (accepted.advance(topic, partition, offset)) this.#skips.advance(topic, partition, offset);
      },
      failed: (error) => this.#fail(error),
    });
    this.#phase = 'running';
    return parts;
  }

  #accept(accepted: Positions, records: SourceRecord[]): boolean {
    this.#queue.push(
      records.filter(({ topic, partition, offset }) => accepted.advance(topic, partition, offset + 1)),
    );
    this.#paused = this.#queue.full;
    return !this.#paused;
  }

  /** Offsets passed over count once every record handed over before them is applied: with the queue empty, all are. */
  #applySkips({ read }: Parts): void {
    if (this.#queue.length === 0) read.advanceTo(this.#skips.toOffsets());
  }

  #resumeSource(): void {
    if (!this.#paused || !this.#queue.roomy) return;
    this.#paused = false;
    this.#options.source.resume();
  }

  async #apply(parts: Parts, records: readonly SourceRecord[]): Promise<void> {
    const { pace } = this.#options;
    const { reads, fetched } = await parts.ingest.read(records);
    for (const read of reads) {
      const { record, problem } = read;
      this.#batch.since ??= this.#options.clock();
      this.#pending.since ??= this.#batch.since;
      parts.ingest.apply(read, fetched, { batch: this.#batch, commit: this.#pending });
      const letter = problem && this.#options.deadLetter(record, problem);
      if (letter) this.#pending.putDeadLetter(letter);
      this.#pending.records++;
      parts.read.advance(record.topic, record.partition, record.offset + 1);
      if (this.#batch.edges < pace.batchEdges && !this.#pending.isFull(pace)) continue;
      await this.#train();
      if (this.#commitIsDue(parts)) await this.#commit(parts);
    }
  }

  #batchIsDue(idle: boolean): boolean {
    const { since } = this.#batch;
    if (since === undefined || this.#options.pace.lingerMs === Number.POSITIVE_INFINITY) return false;
    return idle || this.#options.clock() - since >= this.#options.pace.lingerMs;
  }

  /** Hands the open batch to the trainer; waits only while it has two already. */
  async #train(): Promise<void> {
    const closing = this.#batch;
    this.#batch = new OpenBatch();
    if (closing.empty) return;
    const training = this.#options.trainer.train(closing.close()).then(
      (report) => this.#summary.add(report),
      (error: Error) => this.#fail(error),
    );
    this.#training.push(training);
    if (this.#training.length >= MAX_TRAINING) await this.#training.shift();
    if (this.#failure) throw this.#failure;
  }

  #commitIsDue({ publisher, committer }: Parts): boolean {
    if (this.#batch.since !== undefined) return false;
    const { pace } = this.#options;
    if (this.#pending.trained >= pace.commitEdges || this.#pending.isFull(pace)) return true;
    const waiting = this.#pending.records > 0 || publisher.cleared > 0;
    return waiting && !committer.busy && this.#options.clock() - this.#lastCommit >= pace.commitMs;
  }

  /** Starts a commit; waits for the one before, so that at most one is being written behind the training. */
  async #commit(parts: Parts): Promise<void> {
    const before = this.#committed;
    this.#committed = this.#write(parts, false);
    await before;
    if (this.#failure) throw this.#failure;
  }

  /** Writes everything since the last commit. Gives how many vectors it put up for publishing; never rejects. */
  async #write(parts: Parts, everything: boolean): Promise<number> {
    const pending = this.#pending;
    this.#pending = new PendingCommit();
    this.#lastCommit = this.#options.clock();
    const offsets = parts.read.toOffsets();
    try {
      const due = await parts.committer.commit(pending, offsets, everything);
      await this.#options.source.commit(offsets);
      return due;
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(reasonOf(error)));
      return 0;
    }
  }

  /** Everything in hand, all the way to the topic and back into the store. */
  async #drain(parts: Parts): Promise<void> {
    this.#phase = 'draining';
    this.#applySkips(parts);
    if (this.#batch.since !== undefined) await this.#train();
    await this.#committed;
    // Vectors that moved little are put up in slices, until none is left: memory stays bounded.
    while ((await this.#write(parts, true)) > 0);
    if (this.#failure) throw this.#failure;
    const { graph, log } = this.#options;
    log.info(
      { graph, outbox: parts.publisher.size },
      'all committed; waiting for the last vectors to be acknowledged',
    );
    await parts.publisher.drained();
    if (parts.publisher.cleared > 0) await this.#write(parts, false);
    if (this.#failure) throw this.#failure;
  }

  async #release(): Promise<void> {
    const { source, trainer, store, sink } = this.#options;
    const failures: unknown[] = [];
    const release = (work: Promise<unknown> | undefined) => work?.catch((error) => failures.push(error));
    await release(source.stop());
    this.#parts?.committer.stop();
    await release(this.#parts?.publisher.stop());
    await Promise.allSettled([...this.#training, this.#committed]);
    await release(trainer.stop());
    await release(store.close());
    await release(sink.stop());
    if (failures.length > 0) throw failures[0];
  }

  /** How long to wait for records: until the open batch or the next commit is due. */
  #waitMs(): number {
    const { lingerMs, commitMs } = this.#options.pace;
    return Math.min(lingerMs, commitMs, 1_000);
  }

  #fail(error: Error): void {
    this.#failure ??=
      error instanceof FatalError ? error : new FatalError('updater', error.message, { cause: error });
    this.#queue.close();
  }
}

interface Parts {
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly read: Positions;
  readonly ingest: Ingest;
  readonly publisher: Publisher;
  readonly committer: Committer;
}
