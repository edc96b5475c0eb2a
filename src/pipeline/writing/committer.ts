import { type EntityKey, writeId } from '../../graph/entity.ts';
import { type PackedEntities, stateOf } from '../../graph/entity-index.ts';
import type { Commit } from '../../graph/graph-store.ts';
import { type Head, STORE_FORMAT } from '../../graph/head.ts';
import { NEAR_ROWS } from '../../graph/name-index.ts';
import { endsSlice, nextTurn } from '../../graph/turns.ts';
import { LETTERS } from '../delivery.ts';
import { relationsSum } from '../loading/recovery.ts';
import type { Measures } from '../measures.ts';
import type { Leadership, Message } from '../ports.ts';
import type { KnownGraph } from '../reading/erase.ts';
import type { OffsetLedger } from '../reading/offset-ledger.ts';
import type { PendingCommit } from '../reading/unwritten.ts';
import { encodeJournal } from '../training/batch-codec.ts';
import type { Due, DueOptions } from '../training/trainer.ts';
import type { TrainingLine } from '../training/training-line.ts';
import type { Publishing } from '../tuning.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { type Checkpointer, outdated } from './checkpointer.ts';
import { Moves } from './moves.ts';
import type { PutBy, Puts } from './outbox.ts';
import type { Publisher } from './publish.ts';
import type { Writer } from './writer.ts';

/** Room for the keys of a commit, which grows. */
const FIRST_KEY_BYTES = 4096;

export interface CommitterOptions
  extends Pick<UpdaterOptions, 'graph' | 'model' | 'store' | 'trainer' | 'clock'>,
    Pick<KnownGraph, 'index' | 'counters' | 'unwritten' | 'neighbours'> {
  readonly publisher: Publisher;
  readonly checkpointer: Checkpointer;
  readonly training: Pick<TrainingLine, 'busyMs'>;
  readonly writer: Writer;
  readonly tuning: Publishing;
  /** Says before each write whether this process may write, and is told of each commit afterwards. */
  readonly leadership: Pick<Leadership, 'confirm' | 'commit'>;
  readonly ledger: OffsetLedger;
  readonly measures: Measures;
  /** Whether the trainer has trained the journal: no vector is due before. */
  isTrained(): boolean;
}

/** What a head says of the training, and the commit that this is as of. */
type Stands = Pick<Head, 'step' | 'random' | 'relations' | 'trained'>;

/** What of a head is known when a commit is asked for. */
type Asked = Omit<Head, keyof Stands | 'commit' | 'outbox' | 'checkpoint'>;

/**
 * Writes commits, one after the other, ahead of the training. What a commit holds is fixed when it is asked for: counts
 * and offsets are taken then, and the trainer gives the vectors that are due before it takes another batch. Its answer is written
 * as well, as a commit without batches, and only then published: so the head's step is never below a published one.
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
  /** The write of the commit asked for last, the publishing of what it made due, and the last write of the store. */
  #written: Promise<unknown> = Promise.resolve();
  #published: Promise<unknown> = Promise.resolve();
  #stored: Promise<unknown> = Promise.resolve();
  /** Number of commits not yet written. */
  #unwritten = 0;
  /** The commits that are not yet through. */
  readonly #asked: Gathered[] = [];
  #stands: Stands;
  /** Whether an answer told what is due since the start: until then, what the process before put up may not be acknowledged. */
  #isAnswered = false;

  constructor(options: CommitterOptions, head: Head | undefined) {
    this.#options = options;
    this.head = head;
    const { step = 0, random = [], relations = 0, commit = 0, trained = commit } = head ?? {};
    this.#stands = { step, random, relations, trained };
  }

  /** As the last head written has them: the step, and the newest event time, epoch ms. */
  get step(): number {
    return this.head?.step ?? 0;
  }

  get watermark(): number {
    return this.head?.watermark ?? 0;
  }

  /** Resolves once the commit asked for last is written. */
  get written(): Promise<unknown> {
    return this.#written;
  }

  get busy(): boolean {
    return this.#unwritten > 0;
  }

  /** The oldest commit that is not yet written, or whose vectors are not yet put up: when it was asked for, and what it waits for. */
  get writing(): Pick<Gathered, 'asked' | 'waits'> | undefined {
    return this.#asked[0];
  }

  /** Whether the head says of publishing or of the checkpoint what is no longer so, or the checkpoint lacks what was trained long ago. */
  get isOutdated(): boolean {
    const { publisher, checkpointer, training, index } = this.#options;
    if (this.head === undefined) return false;
    const isPublished = this.head.outbox > 0 && this.#outbox(publisher.outbox.size) === 0;
    if (checkpointer.isOwed(training.busyMs, index.nextRow)) return true;
    return isPublished || checkpointer.nameable(publisher.outbox.oldestCommit) !== this.head.checkpoint;
  }

  /**
   * Writes a commit; its dead letters are acknowledged before. Resolves once the training has come so far too, and gives how many
   * vectors and tombstones were put up for publishing.
   * options: which vectors are among them, see `DueOptions`.
   */
  commit(pending: PendingCommit, options: Pick<DueOptions, 'everything' | 'holdMs'>): Promise<number> {
    const { graph, model, index, counters, ledger, trainer, writer, neighbours, clock } = this.#options;
    const { store, checkpointer, training, publisher } = this.#options;
    const asked = clock();
    const { epoch, space, stepBase, topicIds, written: writtenTo } = writer;
    // Empty commits must not advance the reuse of rows: a process that goes on without a restart writes none at a
    // start.
    if (pending.records > 0) {
      index.free.cut();
      for (const { freedSince } of this.#asked) for (const row of index.free.freed) freedSince.add(row);
    }
    // Looked up now, while the index stands at this commit: it is ahead once the commit is written.
    const own = [...pending.erasedEntities].filter((key) => neighbours.owns(key));
    const named = Array.from(new Set([...pending.due, ...own]), (name) => ({ name, row: index.find(name) }));
    const { touched } = pending;
    const entities = index.pack(touched, store.entityEntries.next(touched.size, index.nextRow));
    const head: Asked = {
      format: STORE_FORMAT,
      graph,
      model,
      rows: index.nextRow,
      freed: index.free.freed,
      positions: ledger.positions('applied'),
      events: { ...counters.events },
      edges: { ...counters.edges },
      entities: index.counts(),
      watermark: counters.watermark,
      epoch,
      space,
      stepBase,
      topicIds,
      written: writtenTo,
      refused: this.head?.refused ?? {},
      ...neighbours.head(),
    };
    const { epsilon, maxAgeMs } = this.#options.tuning;
    const rows = Int32Array.from(named.flatMap(({ row }) => row ?? []));
    const spent = publisher.outbox.spent.pop();
    const due = trainer.due({ now: asked, epsilon, maxAgeMs, named: rows, spent, ...options });
    // Avoids an unhandled rejection while an earlier commit is still being written.
    due.catch(() => undefined);
    const begins = checkpointer.isDue(training.busyMs, index.nextRow);
    if (begins) checkpointer.begin(training.busyMs);
    const untouched = named.filter(({ row }) => row === undefined || !pending.touched.has(row));
    const awaited = publisher.open ? pending.touched.size + untouched.length : 0;
    const gathered = { asked, awaited, named, entities, head, freedSince: new Set<number>(), waits: LETTERS };
    this.#asked.push(gathered);
    this.#unwritten++;
    const written = this.#written.then(() => this.#write(pending, gathered)).finally(() => this.#unwritten--);
    // Its failure is met below, once those before it are through.
    written.catch(() => undefined);
    this.#written = written;
    const published = this.#published
      .then(async () => {
        const writtenHead = await written;
        gathered.waits = 'the training';
        const answer = await due;
        gathered.waits = 'the disk';
        const puts = await this.#publish(gathered, writtenHead, answer, pending.since);
        // Once they are put up: the checkpoint must not be named before they are acknowledged.
        if (begins) checkpointer.write({ ...writtenHead, ...this.#stands }, neighbours.sent());
        return puts;
      })
      .finally(() => this.#asked.shift());
    this.#published = published;
    return published;
  }

  /** Resolves once the dead letters are acknowledged, however long that takes. @throws RetryableError `stopped`. */
  readonly sendLetters = (letters: readonly Message[]): Promise<void> =>
    this.#options.publisher.delivery.sendLetters(letters);

  /** Vectors waiting, or due with a commit that is not through: an entity may be among both, so that the larger number is taken. */
  #outbox(waiting: number, answered = 0): number {
    return Math.max(waiting, ...this.#asked.slice(answered).map(({ awaited }) => awaited));
  }

  /** Gives the head that it wrote. */
  async #write(pending: PendingCommit, gathered: Gathered): Promise<Head> {
    const { publisher, leadership, ledger, unwritten, measures, clock, writer, isTrained } = this.#options;
    const { asked, named, entities, head: said } = gathered;
    if (pending.deadLetters.length > 0) await this.sendLetters(pending.deadLetters);
    gathered.waits = 'the group';
    if (publisher.open) await leadership.confirm();
    gathered.waits = 'the disk';
    const head = await this.#store(said, this.#outbox(publisher.outbox.size), {
      edges: pending.edges,
      packed: entities,
      erasures: [...pending.erasures].map(([key, at]) => ({ key, at })),
      journal: encodeJournal(
        pending.batches,
        named.map(({ name }) => name),
      ),
    });
    this.commits++;
    this.writtenAt = clock();
    measures.commit?.(this.writtenAt - asked);
    unwritten.written(pending.number);
    ledger.advanceTo('committed', head.positions);
    // The group hears of it with its vectors; those of a process that still trains its journal take their time.
    if (publisher.open && !isTrained()) await leadership.commit(head.positions, writer.note(this.step));
    return head;
  }

  /** Writes where the training stands and which rows are to be published, and puts them up. */
  async #publish(
    gathered: Gathered,
    { commit, positions }: Head,
    due: Due,
    since: number | undefined,
  ): Promise<number> {
    const { index, model, publisher, leadership, writer } = this.#options;
    const { step, rows, relations, held } = due;
    this.#stands = { step, random: [...due.random], relations: relationsSum(due), trained: commit };
    this.#isAnswered = true;
    this.held = held;
    this.moves.add(due, index, model.dim);
    if (!publisher.open) return 0;
    const count = rows.length + gathered.named.filter(({ row }) => row === undefined).length;
    if (step !== this.step || count > 0)
      await this.#store(undefined, this.#outbox(Math.max(publisher.outbox.size, count), 1), {
        journal: encodeJournal([], [], rows, commit),
      });
    // Told before any of these vectors goes out. The group's note is then never behind the topic, so that an
    // older copy of the store is always recognised.
    await leadership.commit(positions, writer.note(step));
    publisher.outbox.forget(gathered.head.freed);
    await publisher.add(await this.#puts(gathered, due, { commit, step, since }), relations);
    return count;
  }

  /**
   * Writes to the store, one after the other, and nothing after what failed. Gives the head as written. said: undefined: what the
   * last head says.
   */
  #store(said: Asked | undefined, outbox: number, rest: Omit<Commit, 'head' | 'outdated'>): Promise<Head> {
    const { store, checkpointer, publisher } = this.#options;
    const stored = this.#stored.then(async () => {
      const checkpoint = checkpointer.nameable(publisher.outbox.oldestCommit);
      const commit = (this.head?.commit ?? 0) + 1;
      // What the last answer made due is not put up yet.
      const acknowledged = this.#isAnswered
        ? Math.min(publisher.outbox.oldestCommit, this.#stands.trained ?? 0)
        : (this.head?.acknowledged ?? 0);
      const head = { ...(said ?? this.head!), ...this.#stands, commit, acknowledged, outbox, checkpoint };
      await store.commit({
        ...rest,
        head,
        outdated: outdated({ checkpoint: checkpointer.named }, checkpoint),
      });
      this.head = head;
      checkpointer.wrote(checkpoint);
      return head;
    });
    this.#stored = stored;
    return stored;
  }

  /** What to publish: the rows that are due, and tombstones. Each name once. */
  async #puts({ named, entities, freedSince }: Gathered, { rows, vectors }: Due, by: PutBy): Promise<Puts> {
    const { index } = this.#options;
    const { mostKeyBytes } = index;
    const ofRow = new Map(named.map(({ name, row }) => [row, name]));
    const gone = named.filter(({ row }) => row === undefined);
    const eventsAt = new Float64Array(rows.length + gone.length).fill(Number.NaN);
    const keysAt = new Uint32Array(eventsAt.length + 1);
    let keys = Buffer.alloc(FIRST_KEY_BYTES);
    for (let i = 0, place = 0, end = 0; i < eventsAt.length; i++) {
      const row = rows[i] ?? -1;
      // The names of the next rows come into the cache: what is counted is not needed.
      if (i % NEAR_ROWS === 0) index.names.bytesOf(rows.subarray(i, i + NEAR_ROWS));
      // Both lists of rows are ascending.
      while (entities.rows[place]! < row) place++;
      if (entities.rows[place] === row) eventsAt[i] = stateOf(entities, place).lastSeen;
      const name = row < 0 ? gone[i - rows.length]!.name : ofRow.get(row);
      const most = name === undefined ? mostKeyBytes : 3 * name.length;
      if (keys.length - end < most) keys = Buffer.concat([keys], 2 * keys.length + most);
      if (name !== undefined) end = writeId(keys, end, name, 0);
      // The entity may have been erased after this commit was asked for, and another one may have its row. A later commit puts both up.
      else if (!freedSince.has(row)) end = index.writeKey(row, keys, end);
      keysAt[i + 1] = end;
      if (endsSlice(i)) await nextTurn();
    }
    return { by, rows, vectors, keys, keysAt, eventsAt, left: eventsAt.length };
  }
}

/** What a commit holds, beside what is pending, as of when it was asked for. */
interface Gathered {
  /** When it was asked for, epoch ms. */
  readonly asked: number;
  /** What it waits for. */
  waits: string;
  /** How many entities are due with it at least. */
  readonly awaited: number;
  /** Entities to be published whatever became of them, with their rows. */
  readonly named: readonly { readonly name: EntityKey; readonly row: number | undefined }[];
  readonly entities: PackedEntities;
  readonly head: Asked;
  /** Rows that later commits freed. */
  readonly freedSince: Set<number>;
}
