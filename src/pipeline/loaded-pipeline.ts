import { type CommitParts, Commits } from './commits.ts';
import type { sampleOf } from './entity-sample.ts';
import type { TrainedJournal } from './loading/recovery.ts';
import type { RecordRun } from './ports.ts';
import type { Fetched } from './reading/erase.ts';
import type { Ingest, ReadRecord } from './reading/ingest.ts';
import type { Lag } from './reading/lag.ts';
import type { Rejections } from './rejections.ts';

/** Longest wait for records, ms. */
const LONGEST_WAIT_MS = 1_000;

interface PipelineParts extends CommitParts {
  readonly rejections: Rejections;
  readonly lag: Lag;
  readonly sample: ReturnType<typeof sampleOf>;
  readonly ingest: Ingest;
}

/** One graph's pipeline on its loaded store: records in, commits and checkpoints written, committed vectors published. */
export class LoadedPipeline {
  readonly parts: PipelineParts;
  readonly commits: Commits;
  /** Whether the journal is trained: until then, vectors are as of the checkpoint. */
  isTrained = false;

  constructor(parts: PipelineParts) {
    this.parts = parts;
    this.commits = new Commits(parts);
  }

  /** How long to wait for records, ms: until the open batch or the next commit is due. */
  get waitMs(): number {
    const { training, tuning } = this.parts;
    return Math.min(training.dueInMs, tuning.commitMs, LONGEST_WAIT_MS);
  }

  /** Notes that the journal is trained. */
  trained({ strayed, edges, ms }: TrainedJournal): void {
    const { graph, log, training } = this.parts;
    this.isTrained = true;
    training.busyMs += ms;
    if (edges > 0) log.info({ graph, journalEdges: edges, ms }, 'journal trained');
    if (strayed)
      log.info(
        { graph },
        'the journal led to other vectors than before, as with other settings, several threads, another kernel or in a shard; all that was moved or published since the checkpoint is published again',
      );
  }

  /** Begins what is looked at now and then. waiting: records that wait to be applied, see `Intake.backlog`. */
  look(waiting: number): void {
    const { topicWatch, neighbours, cadence, lag, publisher } = this.parts;
    topicWatch.look();
    neighbours.look();
    cadence.look(lag.appliedAt, waiting, publisher.outbox.oldest);
  }

  /**
   * Applies runs in the order read. A batch that is full goes to the trainer, and a commit that is due to the store,
   * before the next record is applied. since: when the oldest run arrived, epoch ms.
   */
  async apply(runs: readonly RecordRun[], since: number | undefined): Promise<void> {
    if (runs.length === 0) return;
    const { commits } = this;
    const { ingest, lag, ledger, rejections } = this.parts;
    const { reads, fetched } = await ingest.read(runs.flatMap(({ records }) => records));
    let first = 0;
    for (const { topic, partition, records, next, epoch } of runs) {
      for (let i = 0; i < records.length; i++) {
        this.#applyRecord(reads[first + i]!, fetched, since);
        if (!commits.areFull) continue;
        lag.applied(records[i]!);
        ledger.advance('applied', topic, partition, records[i + 1]?.offset ?? next, epoch);
        await commits.whenDue(true);
      }
      first += records.length;
      if (records.length > 0) lag.applied(records.at(-1)!);
      ledger.advance('applied', topic, partition, next, epoch);
    }
    rejections.look();
  }

  #applyRecord(read: ReadRecord, fetched: Fetched, since: number | undefined): void {
    const { ingest, rejections, training, unwritten, publisher } = this.parts;
    this.commits.begin(since);
    ingest.apply(read, fetched, training.open);
    rejections.take(read.record, read.problem);
    // Only the leader writes dead letters: a standby that takes over finds those that the leader before did not come to.
    const letter = read.problem && publisher.open && this.parts.deadLetter(read.record, read.problem);
    if (letter) unwritten.open.putDeadLetter(letter);
    unwritten.open.records++;
  }
}
