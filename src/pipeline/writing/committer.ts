import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { EntityRecord } from '../../graph/graph-store.ts';
import { type Head, STORE_FORMAT } from '../../graph/head.ts';
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
import type { Writer } from './writer.ts';

export interface CommitterOptions
  extends Pick<UpdaterOptions, 'graph' | 'model' | 'store' | 'trainer' | 'sink' | 'log' | 'clock'> {
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly unwritten: Unwritten;
  readonly publisher: Publisher;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Asked before each write whether this process may write, and told of each commit afterwards. */
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
    const named = [...new Set([...pending.due, ...own])];
    const namedRows = named.map((name) => index.find(name));
    const places = named.map(() => -1);
    const entities = [...pending.touched].flatMap((row) => {
      const record = index.record(row);
      return record ? [{ ...record }] : [];
    });
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
      .then(async () =>
        this.#write(pending, { names: named, rows: namedRows, places }, entities, head, await checkpoint),
      )
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
    named: Put,
    entities: readonly EntityRecord[],
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
    const { names, rows, places } = publisher.open ? this.#put(named, checkpoint) : NOTHING;
    if (publisher.open) await leadership.confirm();
    const outbox = publisher.prepare(names);
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
      entities,
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
    const eventAt = eventsOf(rows, entities);
    const { step, floats } = checkpoint;
    publisher.add(
      outbox,
      { commit: pending.number, step, since: pending.since, rows, places, eventAt },
      checkpoint,
    );
    // From now on nobody reads the rows of the commit before, and their memory may be used again.
    const done = this.#floats?.buffer;
    if (done instanceof SharedArrayBuffer) this.#spare.push(done);
    this.#floats = floats;
    return names.length;
  }

  /** What to publish: the named entities, and the rows that the trainer flagged. Each name once. */
  #put(named: Put, { rows: written, publish }: Checkpoint): Put {
    const { index } = this.#options;
    const [names, rows, places] = [[...named.names], [...named.rows], [...named.places]];
    const known = new Set(names);
    for (let place = 0; place < written.length; place++) {
      const row = written[place]!;
      // No name: the entity was erased after this commit was asked for, and the next commit puts up its tombstone.
      const name = publish[place] === 1 ? index.keyAt(row) : undefined;
      if (name === undefined || (known.size > 0 && known.has(name))) continue;
      names.push(name);
      rows.push(row);
      places.push(place);
    }
    return { names, rows, places };
  }
}

type Rows = readonly (number | undefined)[];

/** Entities by name, with the row of each; undefined: the entity is gone. */
interface Put {
  readonly names: readonly EntityKey[];
  readonly rows: Rows;
  /** Place of each row among the rows that the commit writes; −1: the row stands elsewhere in the store. */
  readonly places: readonly number[];
}

const NOTHING: Put = { names: [], rows: [], places: [] };

/** In the order of `rows`: time of the newest event that named the entity. entities: those that events named. */
function eventsOf(rows: Rows, entities: readonly EntityRecord[]): Rows {
  const byRow = new Map<number | undefined, number>(entities.map(({ row, lastSeen }) => [row, lastSeen]));
  return rows.map((row) => byRow.get(row));
}
