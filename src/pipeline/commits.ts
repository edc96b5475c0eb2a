import type { Lifecycle } from './lifecycle.ts';
import type { LaterCheck } from './loading/completeness.ts';
import type { TrainingSummary } from './training/summary.ts';
import type { TrainingLine } from './training/training-line.ts';
import type { UpdaterOptions } from './updater-options.ts';
import type { Cadence } from './writing/cadence.ts';
import type { Committer, CommitterOptions } from './writing/committer.ts';
import { compare, takeOver, tellOfRemade } from './writing/take-over.ts';
import { sameTopics, type TopicWatch } from './writing/topic-identity.ts';

/** Rows that a snapshot may have to set aside before the training waits for the disk: 128 MB at 128 numbers each. */
const MOST_SET_ASIDE = 262_144;

/** The parts of a pipeline that committing needs. */
export interface CommitParts
  extends UpdaterOptions,
    Omit<CommitterOptions, keyof UpdaterOptions | 'training'> {
  readonly training: TrainingLine;
  readonly cadence: Cadence;
  readonly committer: Committer;
  readonly topicWatch: TopicWatch;
  readonly lifecycle: Lifecycle;
  readonly summary: TrainingSummary;
  /** Counts the store's edges, which are not read as it is loaded. */
  readonly laterCheck: LaterCheck | undefined;
  /** The training of the journal. */
  readonly trained: Promise<unknown>;
}

/** Trains and commits what was applied, each where it is due, and all of it at a take-over and at the end. */
export class Commits {
  readonly #parts: CommitParts;
  /** Whether the store was loaded from its checkpoint alone, and no record was applied and no batch trained since. */
  #isIdle: boolean;
  /** The commit asked for last. */
  #committed: Promise<number> = Promise.resolve(0);
  /** The checkpoint that a regular stop leaves. */
  #left: Promise<void> | undefined;

  constructor(parts: CommitParts) {
    this.#parts = parts;
    const { head } = parts.committer;
    this.#isIdle = head !== undefined && head.commit === head.checkpoint;
  }

  /** Whether the open batch is full, or the open commit: each must go before another record is applied. */
  get areFull(): boolean {
    const { training, neighbours, cadence, unwritten, tuning } = this.#parts;
    const { batchEdges } = tuning;
    if (training.open.edges >= batchEdges || neighbours.isFull(batchEdges)) return true;
    return cadence.isFull(unwritten.open);
  }

  /** Reading waits while more than allowed is not acknowledged: back-pressure from the topics that are written. */
  get outboxIsFull(): boolean {
    const { publisher, neighbours, tuning } = this.#parts;
    return publisher.outbox.size >= tuning.maxOutbox || neighbours.behind;
  }

  /** Notes a record that is applied: it begins the batch and the commit that are open. since: when it arrived, epoch ms. */
  begin(since: number | undefined): void {
    const { training, unwritten, clock } = this.#parts;
    this.#isIdle = false;
    if (training.open.since === undefined) training.open.begin(clock(), since);
    unwritten.open.since ??= since;
  }

  /** Trains the open batch and asks for a commit, each where it is due. isFull: the batch is due in any case. */
  async whenDue(isFull = false): Promise<void> {
    const { training, cadence, unwritten, committer } = this.#parts;
    if (isFull || training.dueInMs === 0) await this.#train();
    if (training.open.since !== undefined) return;
    if (cadence.isDue(unwritten.open, committer)) await this.#commit();
  }

  /** Becomes the graph's one writer, with everything in hand committed first: the topic is compared with the store. */
  async takeOver(): Promise<void> {
    const { graph, log, leadership, lifecycle, unwritten, ledger, writer, committer } = this.#parts;
    if (unwritten.open.records > 0) await this.#flush();
    // The last commit may still be on its way, with no record after it.
    await this.#committed;
    lifecycle.check();
    const due = await takeOver(this.#parts, this.#parts, lifecycle.ends);
    await leadership.commit(ledger.positions('committed'), writer.note(committer.step));
    this.#beginWriting();
    unwritten.open.due = [...unwritten.open.due, ...due];
    // The epoch is claimed before anything is written under it. The journal may still be trained.
    await this.#commit();
    await committer.written;
    lifecycle.check();
    const { epoch, space } = writer;
    log.info({ graph, epoch, space, republished: due.length }, 'leads the graph');
  }

  /** Publishes everything again where a topic with vectors was made again. */
  async publishAgain(): Promise<void> {
    const { topicWatch, writer, publisher, unwritten, lifecycle } = this.#parts;
    const ids = topicWatch.written;
    const remade = publisher.open ? writer.madeAgain(ids) : [];
    if (remade.length === 0) return;
    await this.#flush();
    const { keys } = await compare(this.#parts, this.#parts, lifecycle.ends);
    tellOfRemade(this.#parts, remade, keys.length);
    publisher.publishAgain();
    writer.writesTo(ids);
    unwritten.open.due = [...unwritten.open.due, ...keys];
    await this.#commit();
  }

  /** Publishes without asking anyone: nobody else writes a shadow's topic. topicIds: what the log says they are. */
  beginAlone(topicIds: Readonly<Record<string, string>>): void {
    const { writer } = this.#parts;
    writer.topicIds = sameTopics(writer.topicIds, topicIds);
    this.#beginWriting();
  }

  /** Writes everything in hand, all the way to the topic and back into the store. */
  async drain(): Promise<void> {
    const { graph, log, lifecycle, training, publisher, committer, checkpointer } = this.#parts;
    log.info({ graph, outbox: publisher.outbox.size }, 'reading has ended');
    if (training.open.since !== undefined) await this.#train();
    await this.#committed;
    // Vectors that moved little are put up in slices, until none is left: memory stays bounded. Each is taken while the one
    // before is put up.
    this.#committed = this.#write(true);
    for (let put = 1; put > 0; ) {
      const before = this.#committed;
      this.#committed = this.#write(true);
      put = await before;
      if (this.outboxIsFull) await publisher.drained();
    }
    await this.#committed;
    lifecycle.check();
    log.info(
      { graph, outbox: publisher.outbox.size },
      'all committed; waiting for the last vectors to be acknowledged',
    );
    const acknowledged = this.#acknowledged();
    const { head } = committer;
    const isSame = this.#isIdle && publisher.outbox.acknowledged + publisher.outbox.size === 0;
    if (head !== undefined) this.#left = checkpointer.leave({ ...head, outbox: 0 }, isSame, acknowledged);
    await acknowledged;
  }

  /** Whether all that was put up is acknowledged, once nothing more is sent. */
  async #acknowledged(): Promise<boolean> {
    const { publisher, neighbours, lifecycle } = this.#parts;
    await publisher.drained();
    await neighbours.sent();
    lifecycle.check();
    return publisher.outbox.size === 0;
  }

  /** Ends what is under way. To be called once no record comes any more, and before the trainer and the store close. */
  async stop(): Promise<void> {
    const { neighbours, publisher, training, trained, laterCheck, checkpointer } = this.#parts;
    neighbours.stop();
    try {
      await publisher.stop();
    } finally {
      await Promise.allSettled([training.settled(), this.#committed, trained, laterCheck?.stop()]);
      await checkpointer.settled();
      await this.#left;
    }
  }

  #beginWriting(): void {
    this.#parts.publisher.begin();
    this.#parts.neighbours.begin();
  }

  async #train(): Promise<void> {
    const { summary, checkpointer, training, lifecycle } = this.#parts;
    this.#isIdle = false;
    // A disk that is slower than the training is waited for, before the rows set aside outgrow the memory.
    if (summary.setAside > MOST_SET_ASIDE) await checkpointer.slice();
    await training.hand();
    lifecycle.check();
  }

  /** Trains and commits all in hand, and waits until it is written. */
  async #flush(): Promise<void> {
    const { training, lifecycle } = this.#parts;
    if (training.open.since !== undefined) await this.#train();
    await this.#commit();
    await this.#committed;
    lifecycle.check();
  }

  /** Starts a commit; waits for the one before, so that at most one is being written behind the training. */
  async #commit(): Promise<void> {
    const before = this.#committed;
    this.#committed = this.#write(false);
    await before;
    this.#parts.lifecycle.check();
  }

  /** Writes everything since the last commit. Gives how many vectors it put up for publishing; never rejects. */
  async #write(everything: boolean): Promise<number> {
    const { unwritten, cadence, committer, lifecycle } = this.#parts;
    const pending = unwritten.close();
    cadence.asked();
    try {
      return await committer.commit(pending, { everything, holdMs: cadence.holdMs });
    } catch (error) {
      lifecycle.fail(error);
      return 0;
    }
  }
}
