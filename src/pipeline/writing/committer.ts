import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { EntityRecord, GraphStore } from '../../graph/graph-store.ts';
import type { Head, ModelIdentity } from '../../graph/head.ts';
import type { Log } from '../../log.ts';
import type { Counters } from '../counters.ts';
import type { Measures } from '../measures.ts';
import type { Message, Offsets, Sink } from '../ports.ts';
import type { Overlay } from '../reading/overlay.ts';
import type { Checkpoint, CheckpointOptions, Trainer } from '../training/trainer.ts';
import type { Publishing } from '../tuning.ts';
import { Delivery } from './delivery.ts';
import { Moves } from './moves.ts';
import type { PendingCommit } from './pending-commit.ts';
import type { Publisher } from './publish.ts';
import type { Writer } from './writer.ts';

export interface CommitterOptions {
  readonly graph: string;
  readonly model: ModelIdentity;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  readonly index: EntityIndex;
  readonly counters: Counters;
  readonly overlay: Overlay;
  readonly publisher: Publisher;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Resolves while this process may write; see `Source.confirm`. */
  confirm(): Promise<void>;
  /**
   * Tells the log of what was just written. Before any of its vectors goes out: the group's note is then never behind
   * the topic, and an older state of the store is always known for one.
   */
  tell(offsets: Offsets): Promise<void>;
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
  /** Of the commit written last, whose vectors are still read from it; and memory of those before. */
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
  commit(
    pending: PendingCommit,
    offsets: Offsets,
    due: Pick<CheckpointOptions, 'everything' | 'holdMs'>,
  ): Promise<number> {
    const { index, counters, overlay, trainer, writer, measures, clock } = this.#options;
    const asked = clock();
    const { epoch, space, stepBase, topicIds } = writer;
    // One of no records, as at a start, is none that a process which goes on would write.
    if (pending.records > 0) index.cut();
    const number = overlay.close();
    measures.asked(number);
    const entities = [...pending.touched].flatMap((row) => {
      const record = index.record(row);
      return record ? [{ ...record }] : [];
    });
    const head = {
      ...{ rows: index.nextRow, freed: [...index.freed] },
      offsets,
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
      .then(async () => this.#write(number, pending, entities, head, await checkpoint))
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
    number: number,
    pending: PendingCommit,
    entities: readonly EntityRecord[],
    head: Omit<Head, 'format' | 'graph' | 'model' | 'step' | 'random' | 'outbox' | 'outboxParts'>,
    checkpoint: Checkpoint,
  ): Promise<number> {
    const { graph, model, store, index, publisher, overlay, measures, clock } = this.#options;
    if (pending.deadLetters.length > 0) await this.sendLetters(pending.deadLetters);
    const { names, rows } = publisher.open ? this.#due(pending, checkpoint) : NONE;
    await this.#options.confirm();
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
      edges: pending.edges.values(),
      erasedEdges: pending.erasedEdges.values(),
      entities,
      erasedEntities: [...pending.erasedEntities].map(([row, key]) => ({ key, row })),
      erasures: [...pending.erasures].map(([key, at]) => ({ key, at })),
      rows: checkpoint.rows,
      floats: checkpoint.floats,
      outboxAdded: [...outbox.parts, ...outbox.moved],
      outboxCleared: outbox.cleared,
    });
    const floats = this.#floats?.buffer;
    if (floats instanceof SharedArrayBuffer) this.#spare.push(floats);
    this.#floats = checkpoint.floats;
    this.commits++;
    this.writtenAt = clock();
    const size = { records: pending.records, vectors: names.length };
    measures.commit(number, this.writtenAt - (this.writingSince ?? this.writtenAt), size);
    this.held = checkpoint.held;
    this.step = checkpoint.step;
    this.watermark = head.watermark;
    overlay.written(number);
    await this.#options.tell(head.offsets);
    this.moves.add(checkpoint, index, model.dim);
    publisher.add(outbox, { commit: number, since: pending.since, eventAt: eventsOf(rows, entities) });
    return names.length;
  }

  /** What to publish: names put up, entities that are gone, and rows the trainer says are due. Each name once. */
  #due({ due, erasedEntities }: PendingCommit, { rows, publish }: Checkpoint): Due {
    const { index } = this.#options;
    const names = [...new Set([...due, ...erasedEntities.values()])];
    const found: Rows = names.map((name) => index.find(name));
    const named = new Set(names);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const name = publish[i] === 1 ? index.keyAt(row) : undefined;
      // A row has a name of its own.
      if (name === undefined || (named.size > 0 && named.has(name))) continue;
      names.push(name);
      found.push(row);
    }
    return { names, rows: found };
  }
}

type Rows = (number | undefined)[];

interface Due {
  readonly names: readonly EntityKey[];
  /** In the order of the names. */
  readonly rows: Rows;
}

const NONE: Due = { names: [], rows: [] };

/** In the order of `rows`: time of the newest event that named each. entities: those that events named. */
function eventsOf(rows: Rows, entities: readonly EntityRecord[]): Rows {
  const byRow = new Map<number | undefined, number>(entities.map(({ row, lastSeen }) => [row, lastSeen]));
  return rows.map((row) => byRow.get(row));
}
