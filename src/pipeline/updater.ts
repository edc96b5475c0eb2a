import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';
import type { SampledEntity } from './entity-sample.ts';
import { noMeasures } from './measures.ts';
import { assemble, type Parts } from './parts.ts';
import type { SourceRecord } from './ports.ts';
import { type Phase, type Progress, progressOf } from './progress.ts';
import { Readiness } from './readiness.ts';
import { Intake } from './reading/intake.ts';
import type { PartitionLag } from './reading/lag.ts';
import { TrainingSummary } from './training/summary.ts';
import { TrainingLine } from './training/training-line.ts';
import type { UpdaterOptions } from './updater-options.ts';
import { Cadence } from './writing/cadence.ts';
import { PendingCommit } from './writing/pending-commit.ts';
import { sameTopics } from './writing/same-topics.ts';
import { takeOver } from './writing/take-over.ts';

const READ_RECORDS = 1024;

/**
 * One graph's whole pipeline, read from top to bottom in `run`: records are read and applied, a full batch goes to
 * the trainer, a commit moves everything since the last one, and what moved is published.
 */
export class Updater {
  readonly #options: UpdaterOptions;
  readonly #intake: Intake;
  readonly #summary: TrainingSummary;
  #phase: Phase = 'loading';
  #stopping = false;
  #abandoned = false;
  /** It may write: nothing is to be drained before. */
  #began = false;
  #failure: Error | undefined;
  /** A standby's turn has come, and it has not taken over yet. */
  #turn = false;
  #pending = new PendingCommit();
  readonly #training: TrainingLine;
  readonly #readiness: Readiness;
  readonly #cadence: Cadence;
  #committed: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #parts: Parts | undefined;

  constructor(options: UpdaterOptions) {
    this.#options = options;
    this.#intake = new Intake(options.source, options.tuning, options.clock);
    this.#summary = new TrainingSummary(options.model.relations.map(({ name }) => name));
    this.#readiness = new Readiness(options);
    this.#cadence = new Cadence(options.tuning, options.clock);
    this.#training = new TrainingLine({
      ...{ trainer: options.trainer, summary: this.#summary, measures: options.measures ?? noMeasures },
      ...{ tuning: options.tuning, clock: options.clock, failed: (error) => this.#fail(error) },
    });
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
        if (this.#turn) await this.#lead(parts);
        parts.watch.look();
        const records = this.#outboxIsFull(parts)
          ? await this.#intake.pause(this.#waitMs())
          : await this.#intake.take(READ_RECORDS, this.#waitMs());
        if (this.#failure) throw this.#failure;
        this.#cadence.look(parts.lag.appliedAt, this.#intake.queue.length, parts.publisher.oldest);
        if (records.length > 0) await this.#apply(parts, records);
        else this.#intake.applySkips(parts.read);
        if (this.#training.isDue(records.length === 0)) await this.#train();
        if (this.#commitIsDue(parts)) await this.#commit(parts);
      }
      if (!this.#abandoned && this.#began) await this.#drain(parts);
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
    this.#intake.close();
    if (this.#phase !== 'joining' && this.#phase !== 'taking-over') return;
    // One that waits for its brokers is to wait no longer. Closing stops both again and meets their failures, if any.
    this.#options.source.stop().catch(() => undefined);
    this.#options.sink.stop().catch(() => undefined);
  }

  /**
   * Ends `run` where the last commit stands: what came after it is to be read again, as after a kill. False where that
   * comes too late: all is read, and `run` ends with everything written.
   */
  abandon(): boolean {
    if (this.#phase === 'draining' || this.#phase === 'stopped') return false;
    this.#abandoned = true;
    this.stop();
    return true;
  }

  /** Lets go of all it was given, each whether or not the one before would; `run` ends with it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  progress(): Progress {
    const { graph, tuning } = this.#options;
    return progressOf({
      ...{ graph, tuning, phase: this.#phase, summary: this.#summary, queue: this.#intake.queue },
      ...this.#parts,
    });
  }

  /** How far behind it is, by partition; none before the topics' ends are known. */
  lag(): PartitionLag[] {
    return this.#parts?.lag.byPartition() ?? [];
  }

  /** A steady sample of its entities; none before its store is loaded. */
  async sample(): Promise<SampledEntity[]> {
    return (await this.#parts?.sample.read()) ?? [];
  }

  /** Why nobody should rely on it now, a phrase each; none when it is ready. */
  async unready(): Promise<string[]> {
    return this.#readiness.reasons(this.#phase, this.#parts);
  }

  async #start(): Promise<Parts> {
    const { role } = this.#options;
    const parts = await assemble(this.#options, (error) => this.#fail(error));
    this.#parts = parts;
    this.#summary.step = parts.committer.step;
    this.#cadence.begin(parts.index.nextRow);
    if (this.#stopping) return parts;
    this.#phase = 'joining';
    await this.#intake.start(parts.accepted, {
      leads: () => {
        this.#turn = true;
      },
      failed: (error) => this.#fail(error),
    });
    if (role === 'leader' && !this.#stopping) await this.#lead(parts);
    if (role === 'leader' && this.#stopping) return parts;
    if (role === 'shadow') {
      parts.writer.topicIds = sameTopics(parts.writer.topicIds, await this.#options.source.topicIds());
      parts.publisher.begin();
    }
    this.#began = true;
    this.#phase = role === 'standby' ? 'standby' : 'running';
    return parts;
  }

  /** Becomes the graph's one writer, with everything in hand committed first: the topic is compared with the store. */
  async #lead(parts: Parts): Promise<void> {
    this.#turn = false;
    this.#phase = 'taking-over';
    try {
      if (this.#pending.records > 0) await this.#flush(parts);
      const { publisher, writer } = parts;
      const due = await takeOver(writer, this.#options, parts);
      await this.#options.source.commit(parts.read.toOffsets(), writer.note(parts.committer.step));
      publisher.begin();
      this.#pending.due = due;
      // The epoch is claimed before anything is written under it.
      await this.#flush(parts);
      const { graph, log } = this.#options;
      const { epoch, space } = writer;
      log.info({ graph, epoch, space, republished: due.length }, 'leads the graph');
      this.#phase = 'running';
    } catch (error) {
      if (!this.#stopping || !(error instanceof RetryableError) || error.code !== 'stopped') throw error;
      this.#began = false;
    }
  }

  /** Trains and commits all in hand, and waits until it is written. */
  async #flush(parts: Parts): Promise<void> {
    if (this.#training.open.since !== undefined) await this.#train();
    await this.#commit(parts);
    await this.#committed;
    if (this.#failure) throw this.#failure;
  }

  /** Reading waits while more vectors than allowed are not acknowledged: back-pressure from the embeddings topic. */
  #outboxIsFull({ publisher }: Parts): boolean {
    return publisher.size >= this.#options.tuning.maxOutbox;
  }

  async #apply(parts: Parts, records: readonly SourceRecord[]): Promise<void> {
    const { tuning } = this.#options;
    const { reads, fetched } = await parts.ingest.read(records);
    for (const read of reads) {
      const { record, problem } = read;
      this.#training.open.begin(this.#options.clock(), this.#intake.queue.takenSince);
      this.#pending.since ??= this.#intake.queue.takenSince;
      parts.ingest.apply(read, fetched, { batch: this.#training.open, commit: this.#pending });
      // One that does not lead writes none; what it took in and the leader did not come to is found as it takes over.
      const letter = problem && parts.publisher.open && this.#options.deadLetter(record, problem);
      if (letter) this.#pending.putDeadLetter(letter);
      this.#pending.records++;
      parts.read.advance(record.topic, record.partition, record.offset + 1);
      parts.lag.applied(record);
      if (this.#training.open.edges < tuning.batchEdges && !this.#cadence.isFull(this.#pending)) continue;
      await this.#train();
      if (this.#commitIsDue(parts)) await this.#commit(parts);
    }
  }

  async #train(): Promise<void> {
    await this.#training.hand();
    if (this.#failure) throw this.#failure;
  }

  #commitIsDue(parts: Parts): boolean {
    if (this.#training.open.since !== undefined) return false;
    return this.#cadence.isDue(this.#pending, parts, this.#summary);
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
    this.#cadence.asked(parts.index.nextRow);
    const offsets = parts.read.toOffsets();
    try {
      return await parts.committer.commit(pending, offsets, { everything, holdMs: this.#cadence.holdMs });
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(reasonOf(error)));
      return 0;
    }
  }

  /** Everything in hand, all the way to the topic and back into the store. */
  async #drain(parts: Parts): Promise<void> {
    this.#phase = 'draining';
    const { graph, log } = this.#options;
    log.info({ graph, outbox: parts.publisher.size }, 'reading has ended');
    this.#intake.applySkips(parts.read);
    if (this.#training.open.since !== undefined) await this.#train();
    await this.#committed;
    // Vectors that moved little are put up in slices, until none is left: memory stays bounded.
    while ((await this.#write(parts, true)) > 0);
    if (this.#failure) throw this.#failure;
    log.info(
      { graph, outbox: parts.publisher.size },
      'all committed; waiting for the last vectors to be acknowledged',
    );
    await parts.publisher.drained();
    if (parts.publisher.cleared > 0) await this.#write(parts, false);
    if (this.#failure) throw this.#failure;
    parts.image.due();
  }

  async #release(): Promise<void> {
    const { source, trainer, store, sink } = this.#options;
    const failures: unknown[] = [];
    const release = (work: Promise<unknown> | undefined) => work?.catch((error) => failures.push(error));
    await release(source.stop());
    this.#parts?.committer.stop();
    await release(this.#parts?.publisher.stop());
    await Promise.allSettled([this.#training.settled(), this.#committed, this.#parts?.laterCheck?.stop()]);
    await this.#parts?.image.leave();
    await release(trainer.stop());
    await release(store.close());
    await release(sink.stop());
    if (failures.length > 0) throw failures[0];
  }

  /** How long to wait for records: until the open batch or the next commit is due. */
  #waitMs(): number {
    const { lingerMs, commitMs } = this.#options.tuning;
    return Math.min(lingerMs, commitMs, 1_000);
  }

  #fail(error: Error): void {
    this.#failure ??=
      error instanceof FatalError ? error : new FatalError('updater', error.message, { cause: error });
    this.#intake.close();
  }
}
