import type { EntityKey } from '../../graph/entity.ts';
import { type EntityIndex, type PackedEntities, packEntities, unpacked } from '../../graph/entity-index.ts';
import { type Head, STORE_FORMAT } from '../../graph/head.ts';
import { asBuffer, type EntityState } from '../../graph/layout.ts';
import { inSlices } from '../../graph/store.ts';
import type { Counters } from '../counters.ts';
import { Delivery } from '../delivery.ts';
import { relationsSum } from '../loading/recovery.ts';
import type { Measures } from '../measures.ts';
import type { Neighbours } from '../neighbours.ts';
import type { Leadership, Message } from '../ports.ts';
import type { OffsetLedger } from '../reading/offset-ledger.ts';
import type { PendingCommit, Unwritten } from '../reading/unwritten.ts';
import { encodeJournal } from '../training/batch-codec.ts';
import type { Due, DueOptions } from '../training/trainer.ts';
import type { TrainingLine } from '../training/training-line.ts';
import type { Publishing } from '../tuning.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { type Checkpointer, outdated } from './checkpointer.ts';
import { Moves } from './moves.ts';
import type { Publisher, Put } from './publish.ts';
import type { Writer } from './writer.ts';

/** Rows of a commit looked at before the event loop gets its turn. */
const SLICE_ROWS = 4096;

export interface CommitterOptions
  extends Pick<UpdaterOptions, 'graph' | 'model' | 'store' | 'trainer' | 'sink' | 'log' | 'clock'> {
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly unwritten: Unwritten;
  readonly publisher: Publisher;
  readonly checkpointer: Checkpointer;
  readonly training: Pick<TrainingLine, 'busyMs'>;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Says before each write whether this process may write, and is told of each commit afterwards. */
  readonly leadership: Pick<Leadership, 'confirm' | 'commit'>;
  readonly ledger: OffsetLedger;
  readonly measures: Measures;
  readonly neighbours: Neighbours;
}

/** What of a head is known when a commit is asked for. */
type Asked = Omit<Head, 'step' | 'random' | 'relations' | 'outbox' | 'checkpoint'>;

/**
 * Writes commits, one after the other, beside the training. What a commit holds is fixed when it is asked for: counts
 * and offsets are taken then, and the trainer gives the vectors that are due before it takes another batch.
 */
export class Committer {
  commits = 0;
  readonly moves = new Moves();
  /** Vectors that the last commit held back: see `Due`. */
  held = 0;
  /** The head written last. */
  head: Head | undefined;
  /** When the last commit was written, epoch ms. */
  writtenAt: number | undefined;
  readonly #options: CommitterOptions;
  #tail: Promise<unknown> = Promise.resolve();
  /** When each commit not yet written was asked for, epoch ms. */
  readonly #writing: number[] = [];
  readonly #deadLetters: Delivery;
  /** Number of the last commit before this process. */
  readonly #base: number;

  constructor(options: CommitterOptions, head: Head | undefined) {
    this.#options = options;
    this.#deadLetters = new Delivery(options.sink, options.log);
    this.head = head;
    this.#base = head?.commit ?? 0;
  }

  /** Of the last commit written: its step, and the newest event time, epoch ms. */
  get step(): number {
    return this.head?.step ?? 0;
  }

  get watermark(): number {
    return this.head?.watermark ?? 0;
  }

  get busy(): boolean {
    return this.#writing.length > 0;
  }

  /** When the oldest commit not yet written was asked for, epoch ms. */
  get writingSince(): number | undefined {
    return this.#writing[0];
  }

  /** Whether the head says of publishing or of the checkpoint what is no longer so, or the checkpoint lacks what was trained long ago. */
  get isOutdated(): boolean {
    const { publisher, checkpointer, training, index } = this.#options;
    if (this.head === undefined) return false;
    const isPublished = this.head.outbox > 0 && publisher.size === 0;
    if (checkpointer.isOwed(training.busyMs, index.nextRow)) return true;
    return isPublished || checkpointer.nameable(publisher.oldestCommit) !== this.head.checkpoint;
  }

  /**
   * Writes a commit. Resolves once it is written; its dead letters are acknowledged before. Gives how many vectors
   * and tombstones it put up for publishing.
   * options: which vectors are among them, see `DueOptions`.
   */
  commit(pending: PendingCommit, options: Pick<DueOptions, 'everything' | 'holdMs'>): Promise<number> {
    const { graph, model, index, counters, ledger, trainer, writer, neighbours, clock } = this.#options;
    const { checkpointer, training } = this.#options;
    const asked = clock();
    const { epoch, space, stepBase, topicIds } = writer;
    // Empty commits must not advance the reuse of rows: a process that goes on without a restart writes none at a
    // start.
    if (pending.records > 0) index.free.cut();
    // Looked up now, while the index stands at this commit: it is ahead once the commit is written.
    const own = [...pending.erasedEntities].filter((key) => neighbours.owns(key));
    const named = Array.from(new Set([...pending.due, ...own]), (name) => ({ name, row: index.find(name) }));
    const entities = packEntities(index, pending.touched);
    const head: Asked = {
      format: STORE_FORMAT,
      graph,
      model,
      commit: this.#base + pending.number,
      rows: index.nextRow,
      freed: index.free.freed,
      offsets: ledger.offsets('applied'),
      events: { ...counters.events },
      edges: { ...counters.edges },
      entities: index.counts(),
      watermark: counters.watermark,
      epoch,
      space,
      stepBase,
      topicIds,
      ...neighbours.head(),
    };
    const { epsilon, maxAgeMs } = this.#options.tuning;
    const rows = Int32Array.from(named.flatMap(({ row }) => row ?? []));
    const due = trainer.due({ now: asked, epsilon, maxAgeMs, named: rows, ...options });
    // Avoids an unhandled rejection while an earlier commit is still being written.
    due.catch(() => undefined);
    const begins = checkpointer.isDue(training.busyMs, index.nextRow);
    if (begins) checkpointer.begin(training.busyMs);
    this.#writing.push(asked);
    const written = this.#tail
      .then(async () => {
        const puts = await this.#write(pending, { named, entities, head }, await due);
        if (begins) checkpointer.write(this.head!);
        return puts;
      })
      .finally(() => {
        this.#writing.shift();
      });
    this.#tail = written;
    return written;
  }

  /** Resolves once the dead letters are acknowledged, however long that takes. @throws RetryableError `stopped`. */
  readonly sendLetters = (letters: readonly Message[]): Promise<void> =>
    this.#deadLetters.send(letters, 'dead letters');

  /** Ends the wait for dead letters that can't be published: their commit fails. */
  stop(): void {
    this.#deadLetters.stop();
  }

  async #write(
    pending: PendingCommit,
    { named, entities, head: asked }: Gathered,
    due: Due,
  ): Promise<number> {
    const { store, index, model, publisher, checkpointer, leadership } = this.#options;
    const { neighbours, ledger, unwritten, writer, measures, clock } = this.#options;
    if (pending.deadLetters.length > 0) await this.sendLetters(pending.deadLetters);
    // A step that is committed is not trained again, so what it gives other shards must have reached them before.
    await neighbours.sent();
    const puts = publisher.open ? await this.#puts(named, entities, due) : [];
    if (publisher.open) await leadership.confirm();
    const checkpoint = checkpointer.nameable(publisher.oldestCommit);
    const head: Head = {
      ...asked,
      step: due.step,
      random: [...due.random],
      relations: relationsSum(due),
      outbox: publisher.sizeWith(puts),
      checkpoint,
    };
    await store.commit({
      head,
      edges: pending.edges,
      entities: unpacked(entities).map(([name, state]) => ({ key: index.keyOf(name), ...state })),
      erasedEntities: pending.erasedEntities,
      erasures: [...pending.erasures].map(([key, at]) => ({ key, at })),
      journal: encodeJournal(
        pending.batches,
        named.map(({ name }) => name),
        due.rows,
      ),
      outdated: outdated({ checkpoint: checkpointer.named }, checkpoint),
    });
    this.commits++;
    this.head = head;
    this.writtenAt = clock();
    measures.commit?.(this.writtenAt - (this.writingSince ?? this.writtenAt));
    this.held = due.held;
    unwritten.written(pending.number);
    ledger.advanceTo('committed', head.offsets);
    checkpointer.wrote(checkpoint);
    // Told before any vector of this commit goes out. The group's note is then never behind the topic, so that an
    // older copy of the store is always recognised.
    if (publisher.open) await leadership.commit(head.offsets, writer.note(due.step));
    this.moves.add(due, index, model.dim);
    await publisher.add(puts, { commit: head.commit, step: due.step, since: pending.since }, due.relations);
    return puts.length;
  }

  /** What to publish: the named entities, and the rows that are due. Each name once. */
  async #puts(named: Gathered['named'], entities: PackedEntities, { rows, vectors }: Due): Promise<Put[]> {
    const { index, model } = this.#options;
    const eventAt = new Map<number | undefined, number>();
    const note = ([, { row, lastSeen }]: [Buffer, EntityState]) => eventAt.set(row, lastSeen);
    await inSlices(unpacked(entities), note, SLICE_ROWS);
    const bytes = asBuffer(new Uint8Array(vectors.buffer));
    const size = 4 * model.dim;
    const puts: Put[] = [];
    for (const { name, row } of named)
      if (row === undefined) puts.push({ name, vector: null, eventAt: undefined });
    const ofRow = new Map(named.map(({ name, row }) => [row, name]));
    const put = ([i, row]: [number, number]) => {
      // No name: the entity was erased after this commit was asked for, and the next commit puts up its tombstone.
      const name = ofRow.get(row) ?? index.keyAt(row);
      const vector = bytes.subarray(i * size, (i + 1) * size);
      if (name !== undefined) puts.push({ name, vector, eventAt: eventAt.get(row) });
    };
    await inSlices(rows.entries(), put, SLICE_ROWS);
    return puts;
  }
}

/** What a commit holds, beside what is pending, as of when it was asked for. */
interface Gathered {
  /** Entities to be published whatever became of them, with their rows. */
  readonly named: readonly { readonly name: EntityKey; readonly row: number | undefined }[];
  readonly entities: PackedEntities;
  readonly head: Asked;
}
