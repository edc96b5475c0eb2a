import { type EntityIndex, type PackedEntities, packEntities, unpacked } from '../../graph/entity-index.ts';
import { inSlices } from '../../graph/graph-store.ts';
import { type Head, STORE_FORMAT } from '../../graph/head.ts';
import type { EntityState } from '../../graph/layout.ts';
import type { Counters } from '../counters.ts';
import { Delivery } from '../delivery.ts';
import type { ImageKeeper } from '../loading/image.ts';
import type { Measures } from '../measures.ts';
import type { Neighbours } from '../neighbours.ts';
import type { Leadership, Message } from '../ports.ts';
import type { OffsetLedger } from '../reading/offset-ledger.ts';
import type { PendingCommit, Unwritten } from '../reading/unwritten.ts';
import type { Checkpoint, CheckpointOptions } from '../training/trainer.ts';
import type { Publishing } from '../tuning.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Moves } from './moves.ts';
import type { Publisher } from './publish.ts';
import type { Put } from './waiting.ts';
import type { Writer } from './writer.ts';

/** Rows of a commit looked at before the event loop gets its turn. */
const SLICE_ROWS = 4096;

export interface CommitterOptions
  extends Pick<UpdaterOptions, 'graph' | 'model' | 'store' | 'trainer' | 'sink' | 'log' | 'clock'> {
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly unwritten: Unwritten;
  readonly publisher: Publisher;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Says before each write whether this process may write, and is told of each commit afterwards. */
  readonly leadership: Pick<Leadership, 'confirm' | 'commit'>;
  readonly image: Pick<ImageKeeper, 'outdated'>;
  readonly ledger: OffsetLedger;
  readonly measures: Measures;
  readonly neighbours: Neighbours;
}

/**
 * Writes commits, one after the other, beside the training. What a commit holds is fixed when it is asked for: counts
 * and offsets are taken then, and the trainer copies its rows aside before it takes another batch.
 */
export class Committer {
  commits = 0;
  /** Step of the last commit written. */
  step: number;
  watermark: number;
  readonly moves = new Moves();
  /** Vectors that the last commit held back: see `Checkpoint`. */
  held = 0;
  /** When the last commit was written, epoch ms. */
  writtenAt: number | undefined;
  readonly #options: CommitterOptions;
  #tail: Promise<unknown> = Promise.resolve();
  /** When each commit not yet written was asked for, epoch ms. */
  readonly #writing: number[] = [];
  readonly #deadLetters: Delivery;
  /** Rows of the last commit written, which the publisher reads, and the memory of earlier ones. */
  #floats: Float32Array | undefined;
  readonly #spare: SharedArrayBuffer[] = [];

  constructor(options: CommitterOptions, head: Head | undefined) {
    this.#options = options;
    this.#deadLetters = new Delivery(options.sink, options.log);
    this.step = head?.step ?? 0;
    this.watermark = head?.watermark ?? 0;
  }

  get busy(): boolean {
    return this.#writing.length > 0;
  }

  /** When the oldest commit not yet written was asked for, epoch ms. */
  get writingSince(): number | undefined {
    return this.#writing[0];
  }

  /**
   * Writes a commit. Resolves once it is written; its dead letters are acknowledged before. Gives how many vectors
   * and tombstones it put into the outbox.
   * due: which vectors are among them, see `CheckpointOptions`.
   */
  commit(pending: PendingCommit, due: Pick<CheckpointOptions, 'everything' | 'holdMs'>): Promise<number> {
    const { index, counters, ledger, trainer, writer, neighbours, clock } = this.#options;
    const asked = clock();
    const { epoch, space, stepBase, topicIds } = writer;
    // Empty commits must not advance the reuse of rows: a process that goes on without a restart writes none at a
    // start.
    if (pending.records > 0) index.free.cut();
    // Looked up now, while the index stands at this commit: it is ahead once the commit is written.
    const erased = [...pending.erasedEntities.values()];
    const own = erased.filter((key) => neighbours.owns(key));
    const named = Array.from(new Set([...pending.due, ...own]), (name) => ({ name, row: index.find(name) }));
    const entities = packEntities(index, pending.touched);
    const head = {
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
    const checkpoint = trainer.checkpoint({
      now: asked,
      epsilon,
      maxAgeMs,
      ...due,
      spare: this.#spare.pop(),
    });
    // Avoids an unhandled rejection while an earlier commit is still being written.
    checkpoint.catch(() => undefined);
    this.#writing.push(asked);
    const written = this.#tail
      .then(async () => this.#write(pending, named, entities, head, await checkpoint))
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
    named: readonly Pick<Put, 'name' | 'row'>[],
    entities: PackedEntities,
    head: Omit<Head, 'format' | 'graph' | 'model' | 'step' | 'random' | 'outbox' | 'outboxParts'>,
    checkpoint: Checkpoint,
  ): Promise<number> {
    const {
      graph,
      model,
      store,
      index,
      publisher,
      leadership,
      image,
      ledger,
      unwritten,
      writer,
      measures,
      clock,
    } = this.#options;
    if (pending.deadLetters.length > 0) await this.sendLetters(pending.deadLetters);
    // A step that is committed is not trained again, so what it gives other shards must have reached them before.
    await this.#options.neighbours.sent();
    const puts = publisher.open ? await this.#puts(named, entities, checkpoint) : [];
    if (publisher.open) await leadership.confirm();
    const outbox = publisher.prepare(puts);
    await store.commit({
      head: {
        format: STORE_FORMAT,
        graph,
        model,
        step: checkpoint.step,
        random: [...checkpoint.random],
        outbox: outbox.waiting,
        outboxParts: outbox.stored,
        ...head,
      },
      edges: pending.edges,
      entities: unpacked(entities).map(([name, state]) => ({ key: index.keyOf(name), ...state })),
      erasedEntities: [...pending.erasedEntities].map(([row, key]) => ({ key, row })),
      erasures: [...pending.erasures].map(([key, at]) => ({ key, at })),
      rows: checkpoint.rows,
      floats: checkpoint.floats,
      outboxAdded: [...outbox.parts, ...outbox.moved],
      outboxCleared: outbox.cleared,
    });
    this.commits++;
    this.writtenAt = clock();
    measures.commit?.(this.writtenAt - (this.writingSince ?? this.writtenAt));
    this.held = checkpoint.held;
    this.step = checkpoint.step;
    this.watermark = head.watermark;
    unwritten.written(pending.number);
    ledger.advanceTo('committed', head.offsets);
    // The start image belongs to the head before this commit.
    await image.outdated();
    // Told before any vector of this commit goes out. The group's note is then never behind the topic, so that an
    // older copy of the store is always recognised.
    if (publisher.open) await leadership.commit(head.offsets, writer.note(this.step));
    this.moves.add(checkpoint, index, model.dim);
    const { step, floats } = checkpoint;
    await publisher.add(outbox, { commit: pending.number, step, since: pending.since }, checkpoint);
    // From now on nobody reads the rows of the commit before, and their memory may be used again.
    const done = this.#floats?.buffer;
    if (done instanceof SharedArrayBuffer) this.#spare.push(done);
    this.#floats = floats;
    return puts.length;
  }

  /** What to publish: the named entities, and the rows that the trainer flagged. Each name once. */
  async #puts(
    named: readonly Pick<Put, 'name' | 'row'>[],
    entities: PackedEntities,
    { rows, publish }: Checkpoint,
  ): Promise<Put[]> {
    const eventAt = new Map<number | undefined, number>();
    const note = ([, { row, lastSeen }]: [Buffer, EntityState]) => eventAt.set(row, lastSeen);
    await inSlices(unpacked(entities), note, SLICE_ROWS);
    const puts: Put[] = named.map((each) => ({ ...each, place: -1, eventAt: eventAt.get(each.row) }));
    const known = new Set(named.map(({ name }) => name));
    const put = ([place, row]: [number, number]) => {
      // No name: the entity was erased after this commit was asked for, and the next commit puts up its tombstone.
      const name = publish[place] === 1 ? this.#options.index.keyAt(row) : undefined;
      if (name !== undefined && !known.has(name)) puts.push({ name, row, place, eventAt: eventAt.get(row) });
    };
    await inSlices(rows.entries(), put, SLICE_ROWS);
    return puts;
  }
}
