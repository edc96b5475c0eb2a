import { LogRefusal, reasonOf } from '../errors/errors.ts';
import { noteRefusal } from '../graph/graph-store.ts';
import { loadPipeline } from './assemble.ts';
import type { SampledEntity } from './entity-sample.ts';
import { isStopped, Lifecycle } from './lifecycle.ts';
import type { LoadedPipeline } from './loaded-pipeline.ts';
import { patiently } from './patience.ts';
import type { PartitionRange } from './ports.ts';
import { type Progress, progressOf } from './progress.ts';
import { readinessOf } from './readiness.ts';
import { Intake } from './reading/intake.ts';
import type { PartitionLag } from './reading/lag.ts';
import { TrainingSummary } from './training/summary.ts';
import { followedTopics, type UpdaterOptions } from './updater-options.ts';

const READ_RECORDS = 1024;
/** The part of a stop's time in which it waits for the brokers. The rest is for what has to be closed. */
const PATIENCE = 2 / 3;

/**
 * One graph's whole pipeline, read from top to bottom in `run`: records are read and applied, a full batch goes to
 * the trainer, a commit moves everything since the last one, and what moved is published.
 */
export class Updater {
  readonly #options: UpdaterOptions;
  readonly #topics: readonly string[];
  readonly #lifecycle = new Lifecycle();
  readonly #intake: Intake;
  readonly #summary: TrainingSummary;
  readonly #unready: ReturnType<typeof readinessOf>;
  #pipeline: LoadedPipeline | undefined;
  #closing: Promise<void> | undefined;
  /** Why the log can't be followed: noted in the store. */
  #refusal: LogRefusal | undefined;

  constructor(options: UpdaterOptions) {
    const { tuning, clock } = options;
    this.#options = options;
    this.#topics = followedTopics(options);
    // What other shards send ages while it waits, and events do not.
    this.#intake = new Intake(tuning, clock, this.#fails, (topic) => topic === options.neighbourhood.urgent);
    this.#summary = new TrainingSummary(options.model.relations.map(({ name }) => name));
    this.#unready = readinessOf(options);
    this.#lifecycle.ends.addEventListener('abort', () => this.#intake.close());
  }

  /**
   * Runs until `stop`, or until what was there at the start is consumed, trained, committed and published.
   * @throws FatalError when going on would lose something; the store then stands at its last commit.
   */
  async run({ untilCaughtUp = false } = {}): Promise<void> {
    try {
      const pipeline = await this.#load();
      await this.#begin(pipeline);
      await this.#read(pipeline, untilCaughtUp ? await this.#ends() : undefined);
      this.#lifecycle.check();
      if (this.#lifecycle.phase !== 'leaving') {
        this.#lifecycle.on('drain');
        await pipeline.commits.drain();
      }
      this.#lifecycle.on('done');
    } catch (error) {
      this.#lifecycle.fail(error);
      if (error instanceof LogRefusal) this.refuse(error);
      if (this.#lifecycle.phase === 'leaving') this.#lifecycle.on('done');
      else {
        await this.close().catch((second: unknown) => {
          this.#options.log.error(
            { graph: this.#options.graph, reason: reasonOf(second) },
            'could not close',
          );
        });
        throw error;
      }
    }
    await this.close();
  }

  /** Ends `run` after the records in hand: trains, commits and publishes them, unless the brokers take nothing: then as `abandon`. */
  stop(): void {
    const { phase } = this.#lifecycle;
    setTimeout(() => this.#leave(), PATIENCE * this.#options.tuning.stopMs).unref();
    this.#lifecycle.on('stop');
    if (phase === 'joining' || phase === 'taking-over') this.#waitNoLonger();
  }

  /**
   * Ends `run` where the last commit stands: what came after it is to be read again, as after a kill. False where that
   * comes too late: all is read, and `run` ends with everything written.
   */
  abandon(): boolean {
    const { phase } = this.#lifecycle;
    if (phase === 'draining' || !this.#lifecycle.allows('abandon')) return false;
    this.#lifecycle.on('abandon');
    if (phase === 'joining' || phase === 'taking-over') this.#waitNoLonger();
    return true;
  }

  /** Has every further start refuse a topic, which another reader of its graph could not read on. */
  refuse(refusal: LogRefusal): void {
    this.#refusal ??= refusal;
  }

  /** Lets go of all it was given, each whether or not the one before would; `run` ends with it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  progress(): Progress {
    const { graph, tuning } = this.#options;
    const { phase } = this.#lifecycle;
    return progressOf({ graph, tuning, phase, summary: this.#summary, intake: this.#intake }, this.#pipeline);
  }

  /** How far behind it is, by partition; none before the topics' ends are known. */
  lag(): PartitionLag[] {
    return this.#pipeline?.parts.lag.byPartition() ?? [];
  }

  /** A steady sample of its entities; none before its store is loaded and its journal trained. */
  async sample(): Promise<SampledEntity[]> {
    const pipeline = this.#pipeline;
    return pipeline?.isTrained ? pipeline.parts.sample(pipeline.parts.committer.head?.rows ?? 0) : [];
  }

  /** Why nobody should rely on it now, a phrase each; none when it is ready. */
  async unready(): Promise<string[]> {
    return this.#unready(this.#lifecycle.phase, this.#pipeline);
  }

  async #load(): Promise<LoadedPipeline> {
    this.#pipeline = await loadPipeline(this.#options, this.#lifecycle, this.#summary, this.#fails);
    // The count of the edges may have ended already.
    this.#lifecycle.check();
    this.#lifecycle.on('loaded');
    return this.#pipeline;
  }

  /**
   * Begins to follow the log, in every role with the same follower. Only who may write differs: a leader is to be the
   * graph's one writer first, a standby asks for that beside its reading, and a shadow has a topic of its own.
   */
  async #begin(pipeline: LoadedPipeline): Promise<void> {
    const { role, eventLog } = this.#options;
    await this.#whileReading(async () => {
      if (role === 'leader') await this.#join(pipeline);
      this.#intake.begin(pipeline.parts.ledger);
      await eventLog.follow(this.#topics, this.#intake);
      if (role === 'leader') {
        this.#lifecycle.on('turn');
        await this.#takeOver(pipeline);
      } else if (role === 'standby') {
        this.#lifecycle.on('waits');
        this.#join(pipeline).then(() => this.#lifecycle.on('turn'), this.#fails);
      } else {
        const ids = await patiently(() => eventLog.topicIds(this.#topics), this.#lifecycle.ends);
        pipeline.commits.beginAlone(ids);
        this.#lifecycle.on('writes');
      }
    });
  }

  /** Reads, applies, trains and commits, until told to end or until `ends` are reached. */
  async #read(pipeline: LoadedPipeline, ends: readonly PartitionRange[] | undefined): Promise<void> {
    const { commits, parts } = pipeline;
    while (this.#lifecycle.reads && !(ends && parts.ledger.applied(ends))) {
      if (this.#lifecycle.phase === 'taking-over') await this.#takeOver(pipeline);
      const runs = commits.outboxIsFull
        ? await this.#intake.pause(pipeline.waitMs)
        : await this.#intake.next(READ_RECORDS, pipeline.waitMs);
      this.#lifecycle.check();
      pipeline.look(this.#intake.backlog);
      await this.#whileReading(() => commits.publishAgain());
      await pipeline.apply(runs, this.#intake.takenSince);
      await commits.whenDue();
    }
  }

  #join({ parts: { ledger } }: LoadedPipeline): Promise<void> {
    return this.#options.leadership.join({
      position: (topic, partition) => ledger.position('committed', topic, partition),
      failed: this.#fails,
    });
  }

  async #takeOver(pipeline: LoadedPipeline): Promise<void> {
    await this.#whileReading(async () => {
      await pipeline.commits.takeOver();
      this.#lifecycle.on('writes');
    });
  }

  /** What the log holds now: once its end is reached, this process has caught up. */
  async #ends(): Promise<readonly PartitionRange[] | undefined> {
    let ends: readonly PartitionRange[] | undefined;
    await this.#whileReading(async () => {
      ends = await patiently(() => this.#options.eventLog.ranges(this.#topics), this.#lifecycle.ends);
    });
    return ends;
  }

  /** Does what may wait for the brokers. That the wait was ended, because nothing more is to be read, is no failure. */
  async #whileReading(work: () => Promise<void>): Promise<void> {
    if (!this.#lifecycle.reads) return;
    try {
      await work();
    } catch (error) {
      this.#lifecycle.check();
      if (this.#lifecycle.reads || !isStopped(error)) throw error;
    }
  }

  /** Waits no longer for what a stop waits for. */
  #leave(): void {
    const { graph, log } = this.#options;
    if (!this.#lifecycle.allows('abandon')) return;
    log.warn(
      { graph },
      'not stopped yet: the brokers are waited for no longer, and the graph stays at its last commit',
    );
    this.#lifecycle.on('abandon');
    this.#waitNoLonger();
  }

  /** Ends the wait for the brokers. `close` ends all three again, and meets their failures. */
  #waitNoLonger(): void {
    const { eventLog, leadership, sink } = this.#options;
    // The pause before another attempt may be long.
    this.#pipeline?.parts.publisher.delivery.stop();
    this.#pipeline?.parts.neighbours.stop();
    for (const ended of [eventLog.close(), leadership.stop(), sink.stop()]) ended.catch(() => undefined);
  }

  async #release(): Promise<void> {
    const { eventLog, leadership, trainer, store, sink } = this.#options;
    const failures: unknown[] = [];
    const releases: (() => Promise<unknown>)[] = [
      () => eventLog.close(),
      () => leadership.stop(),
      async () => this.#pipeline?.commits.stop(),
      () => trainer.stop(),
      async () => this.#refusal && noteRefusal(store, this.#refusal),
      () => store.close(),
      () => sink.stop(),
    ];
    for (const release of releases) await release().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  /** Something at work beside `run` failed. That its wait was ended is no failure. */
  readonly #fails = (error: Error): void => {
    if (this.#lifecycle.reads || !isStopped(error)) this.#lifecycle.fail(error);
  };
}
