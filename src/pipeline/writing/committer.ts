import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { EntityRecord, GraphStore } from '../../graph/graph-store.ts';
import type { Head, ModelIdentity } from '../../graph/head.ts';
import type { Log } from '../../log.ts';
import type { Counters } from '../counters.ts';
import type { ImageKeeper } from '../loading/image.ts';
import type { Measures } from '../measures.ts';
import type { Leadership, Message, Sink } from '../ports.ts';
import type { OffsetLedger } from '../reading/offset-ledger.ts';
import type { PendingCommit, Unwritten } from '../reading/unwritten.ts';
import type { Checkpoint, CheckpointOptions, Trainer } from '../training/trainer.ts';
import type { Publishing } from '../tuning.ts';
import { Delivery } from './delivery.ts';
import { Moves } from './moves.ts';
import type { Publisher } from './publish.ts';
import type { Writer } from './writer.ts';

export interface CommitterOptions {
  readonly graph: string;
  readonly model: ModelIdentity;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly unwritten: Unwritten;
  readonly publisher: Publisher;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Whether this process may write is asked here, and how far the store is told. */
  readonly leadership: Pick<Leadership, 'confirm' | 'commit'>;
  readonly image: Pick<ImageKeeper, 'outdated'>;
  readonly ledger: OffsetLedger;
  /** For dead letters. */
  readonly sink: Sink;
  readonly log: Log;
  readonly measures: Measures;
  clock(): number;
}

/**
 * Writes commits, one after the other, beside the training. What a commit holds is fixed when it is asked for:
 * the counts and offsets are taken then, and the trainer copies its rows aside before anything it is given later.
 */
export class Committer {
  commits = 0;
  /** Of the last commit written. */
  step: number;
  watermark: number;
  readonly moves = new Moves();
  /** Vectors that the last commit held back, see `Checkpoint`. */
  held = 0;
  /** When the last commit was written, epoch ms. */
  writtenAt: number | undefined;
  readonly #options: CommitterOptions;
  #tail: Promise<unknown> = Promise.resolve();
  /** When each commit not yet written was asked for, epoch ms. */
  readonly #writing: number[] = [];
  readonly #deadLetters: Delivery;
  /** Rows of the commit written last, which the publisher reads, and memory of those before. */
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
   * Resolves once written and, where it had dead letters, once these are acknowledged: their offsets go with it.
   * Gives how many vectors and tombstones it put into the outbox.
   * due: which vectors are among them, see `CheckpointOptions`.
   */
  commit(pending: PendingCommit, due: Pick<CheckpointOptions, 'everything' | 'holdMs'>): Promise<number> {
    const { index, counters, ledger, trainer, writer, measures, clock } = this.#options;
    const asked = clock();
    const { epoch, space, stepBase, topicIds } = writer;
    // One of no records, as at a start, is none that a process which goes on would write.
    if (pending.records > 0) index.cut();
    measures.asked(pending.number);
    // Looked up now: the index is at this commit, and ahead of it once the commit is written.
    const named = [...new Set([...pending.due, ...pending.erasedEntities.values()])];
    const namedRows = named.map((name) => index.find(name));
    const entities = [...pending.touched].flatMap((row) => {
      const record = index.record(row);
      return record ? [{ ...record }] : [];
    });
    const head = {
      ...{ rows: index.nextRow, freed: [...index.freed] },
      offsets: ledger.offsets('applied'),
      events: { ...counters.events },
      edges: { ...counters.edges },
      entities: index.counts(),
      watermark: counters.watermark,
      ...{ epoch, space, stepBase, topicIds },
    };
    const { epsilon, maxAgeMs } = this.#options.tuning;
    const checkpoint = trainer.checkpoint({
      ...{ now: asked, epsilon, maxAgeMs },
      ...due,
      spare: this.#spare.pop(),
    });
    // Kept from being called unhandled while an earlier commit is still being written.
    checkpoint.catch(() => undefined);
    this.#writing.push(asked);
    const written = this.#tail
      .then(async () =>
        this.#write(pending, { names: named, rows: namedRows }, entities, head, await checkpoint),
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

  /** Dead letters that can't be published hold a commit up no longer: it fails. */
  stop(): void {
    this.#deadLetters.stop();
  }

  async #write(
    pending: PendingCommit,
    named: Named,
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
    const { names, rows, places } = publisher.open ? this.#put(named, checkpoint) : NOTHING;
    if (publisher.open) await leadership.confirm();
    const outbox = publisher.prepare(names);
    await store.commit({
      head: {
        format: 1,
        graph,
        model,
        step: checkpoint.step,
        random: [...checkpoint.random],
        outbox: outbox.waiting,
        outboxParts: outbox.stored,
        ...head,
      },
      edges: pending.changedEdges(),
      erasedEdges: pending.erasedEdges(),
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
    const size = { records: pending.records, vectors: names.length };
    measures.commit(pending.number, this.writtenAt - (this.writingSince ?? this.writtenAt), size);
    this.held = checkpoint.held;
    this.step = checkpoint.step;
    this.watermark = head.watermark;
    unwritten.written(pending.number);
    ledger.advanceTo('committed', head.offsets);
    // The image to start from is of a head that the store no longer has.
    await image.outdated();
    // Before any vector of this commit goes out: the group's note is then never behind the topic, and an older state of
    // the store is always known for one.
    if (publisher.open) await leadership.commit(head.offsets, writer.note(this.step));
    this.moves.add(checkpoint, index, model.dim);
    const eventAt = eventsOf(rows, entities);
    const { step, floats } = checkpoint;
    publisher.add(
      outbox,
      { commit: pending.number, since: pending.since, rows, places, eventAt },
      { step, floats },
    );
    // Only now does nobody read the rows of the commit before: their memory may be used for another.
    const done = this.#floats?.buffer;
    if (done instanceof SharedArrayBuffer) this.#spare.push(done);
    this.#floats = floats;
    return names.length;
  }

  /** What to publish: what is named, and the rows that the trainer says are due. Each name once. */
  #put(named: Named, { rows: written, publish }: Checkpoint): Put {
    const { index } = this.#options;
    const names = [...named.names];
    const rows = [...named.rows];
    const places = names.map(() => -1);
    const known = new Set(names);
    for (let place = 0; place < written.length; place++) {
      const row = written[place]!;
      // Erased since this commit was asked for: the next one puts up the tombstone.
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

/** Entities by name, and the row of each; undefined: gone. */
interface Named {
  readonly names: readonly EntityKey[];
  readonly rows: Rows;
}

interface Put extends Named {
  /** Where each is among the rows that the commit writes; −1: elsewhere in the store. */
  readonly places: readonly number[];
}

const NOTHING: Put = { names: [], rows: [], places: [] };

/** In the order of `rows`: time of the newest event that named each. entities: those that events named. */
function eventsOf(rows: Rows, entities: readonly EntityRecord[]): Rows {
  const byRow = new Map<number | undefined, number>(entities.map(({ row, lastSeen }) => [row, lastSeen]));
  return rows.map((row) => byRow.get(row));
}
