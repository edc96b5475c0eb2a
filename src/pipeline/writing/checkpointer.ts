import { FatalError, reasonOf } from '../../errors/errors.ts';
import { BLOCK_ROWS, type CheckpointBlock, checkpointBytes } from '../../graph/checkpoint.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { Head } from '../../graph/head.ts';
import { relationsSum } from '../loading/recovery.ts';
import { encodeJournal } from '../training/batch-codec.ts';
import type { Trainer } from '../training/trainer.ts';
import type { UpdaterOptions } from '../updater-options.ts';

/** Shortest time from one checkpoint to the next where little is trained, and to the first of a store. */
const SHORTEST_MS = 10_000;
const FIRST_MS = 1_000;
/** Bytes a second that checkpoints write on average where little is trained. */
const BYTES_A_SECOND = 1_000_000;
/** Bytes of the slices asked for at a time, about. A slice waits behind the batches that the trainer was given before it, and rows that move meanwhile are copied aside. */
const AHEAD_BYTES = 128 * 2 ** 20;
/** The writing of checkpoints takes at most one part in so many of the time. */
const SHARE = 24;

export interface CheckpointerOptions
  extends Pick<UpdaterOptions, 'graph' | 'store' | 'trainer' | 'log' | 'clock'> {
  /** Training after which a checkpoint is due, ms: about what a start after a kill repeats. */
  readonly tuning: { readonly recoverMs: number };
}

/**
 * Replaces the store's checkpoint now and then, beside the training. A snapshot begins at the end of a commit, and is written as the
 * trainer gives it between batches. Once the file is whole and every vector that was due by then is acknowledged, the next
 * commit's head names it and deletes the journal that it makes unnecessary; then the file before is removed.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  /** The commit that the head's checkpoint is of. */
  #named: number;
  /** Whole, and of a later commit than `#named`. */
  #whole: number | undefined;
  /** Whether a snapshot has begun that is not written yet. */
  #begun = false;
  #writing: Promise<void> = Promise.resolve();
  #tidying: Promise<void> = Promise.resolve();
  /** When the last one began, epoch ms, and how long it took. */
  #beganAt: number;
  #tookMs = 0;
  #busyMs = 0;
  /** The slice that is being written. */
  #slice: Promise<unknown> = Promise.resolve();

  constructor(options: CheckpointerOptions, head: Head | undefined) {
    this.#options = options;
    this.#named = head?.checkpoint ?? 0;
    // A journal is owed a checkpoint, however little it trains.
    if (head !== undefined && head.commit > head.checkpoint) this.#busyMs = -1;
    this.#beganAt = options.clock();
  }

  get named(): number {
    return this.#named;
  }

  /** Whether a commit now is to begin one. busyMs: time that the trainer has worked. rows: of the table. */
  isDue(busyMs: number, rows: number): boolean {
    const { clock, store, tuning } = this.#options;
    if (this.#begun || this.#whole !== undefined) return false;
    const passed = Math.abs(clock() - this.#beganAt);
    if (passed < SHARE * this.#tookMs) return false;
    const bytes = checkpointBytes(rows, store.layout.dim);
    const shortest = this.#named === 0 ? FIRST_MS : SHORTEST_MS;
    const isOld = passed >= Math.max(shortest, (1_000 * bytes) / BYTES_A_SECOND);
    return isOld || busyMs - this.#busyMs >= tuning.recoverMs;
  }

  /** Whether one is due of what was trained since the last, though no record may come that a commit waits for. */
  isOwed(busyMs: number, rows: number): boolean {
    return busyMs > this.#busyMs && this.isDue(busyMs, rows);
  }

  /** Begins a snapshot as of the trainer's last call. */
  begin(busyMs: number): void {
    const { clock, trainer } = this.#options;
    this.#begun = true;
    this.#beganAt = clock();
    this.#busyMs = busyMs;
    // Where it fails, so does the commit's own call.
    trainer.snapshot().catch(() => undefined);
  }

  /** Writes the snapshot, once its commit is written and its vectors are put up. A failure costs the next start time, and nothing else. sent: resolves once other shards have what the batches before had for them. */
  write(head: Head, sent = Promise.resolve()): void {
    const { graph, log, clock } = this.#options;
    this.#writing = this.#write(head)
      .finally(() => {
        this.#tookMs = clock() - this.#beganAt;
      })
      .then(() => sent)
      .then(() => {
        this.#whole = head.commit;
        log.debug({ graph, commit: head.commit, ms: clock() - this.#beganAt }, 'checkpoint written');
      })
      .catch((error: unknown) => {
        const reason = reasonOf(error);
        log.warn({ graph, reason }, 'a checkpoint could not be written: the next start takes longer');
      })
      .finally(() => {
        this.#begun = false;
      });
  }

  /** Resolves once a slice that the disk is slow to take is written. */
  async slice(): Promise<void> {
    await this.#slice;
  }

  /** The commit whose checkpoint a head may name. oldestCommit: of those with vectors that are not acknowledged. */
  nameable(oldestCommit: number): number {
    return this.#whole !== undefined && this.#whole < oldestCommit ? this.#whole : this.#named;
  }

  /** Notes that a head was written that names this one. The one before is removed once that head survives a power loss. */
  wrote(checkpoint: number): void {
    if (checkpoint === this.#named) return;
    this.#named = checkpoint;
    this.#whole = undefined;
    const { graph, store, log } = this.#options;
    this.#tidying = store
      .sync()
      .then(() => store.checkpoints.dropBefore(checkpoint))
      .catch((error: unknown) => {
        log.warn(
          { graph, reason: reasonOf(error) },
          'a checkpoint that is not needed any more was not removed',
        );
      });
  }

  /** Writes the checkpoint of a store that nothing was trained on since once more, with all that the trainer has. */
  async complete(head: Head): Promise<void> {
    const { store, trainer } = this.#options;
    const checkpoint = await store.checkpoint();
    await trainer.snapshot();
    await this.#write({ ...head, commit: head.checkpoint, ...(checkpoint && { at: checkpoint.head.at }) });
  }

  /**
   * Leaves a checkpoint as of the last commit, where nothing is trained any more: it is written at once, and named by the head once
   * everything is acknowledged. isSame: whether the commits since the checkpoint changed nothing that it has: it
   * becomes that of the last commit, under its own number.
   */
  async leave(head: Head, isSame: boolean, acknowledged: Promise<boolean>): Promise<void> {
    const { graph, log, clock, store } = this.#options;
    await this.settled();
    if (head.checkpoint === head.commit) return;
    this.#beganAt = clock();
    try {
      if (isSame) {
        const { checkpoint, commit } = head;
        return await store.commit({
          head: { ...head, commit: checkpoint, trained: checkpoint, acknowledged: checkpoint },
          outdated: outdated(head, commit),
        });
      }
      await this.settle(head, [], acknowledged);
      if (await acknowledged)
        log.info({ graph, rows: head.rows, ms: clock() - this.#beganAt }, 'left a checkpoint to start from');
    } catch (error) {
      const reason = reasonOf(error);
      log.warn({ graph, reason }, 'could not leave a checkpoint to start from: the next start takes longer');
    }
  }

  /** Writes a checkpoint as of the last commit, after which the journal holds `due` alone: entities that are to be published. */
  async settle(
    head: Head,
    due: readonly EntityKey[] = [],
    acknowledged = Promise.resolve(true),
  ): Promise<void> {
    const { store, trainer } = this.#options;
    const checkpoint = head.commit;
    // A journal that led to other vectors stands at another step.
    const state = await trainer.state();
    const [random, relations] = [[...state.random], relationsSum(state)];
    const stands = { ...head, step: state.step, random, relations, trained: checkpoint };
    await trainer.snapshot();
    await this.#write(stands);
    if (!(await acknowledged)) return;
    const isLeft = due.length > 0;
    await store.commit({
      head: { ...stands, checkpoint, commit: checkpoint + Number(isLeft) },
      outdated: outdated(head, checkpoint),
      ...(isLeft && { journal: encodeJournal([], due) }),
    });
    this.wrote(checkpoint);
    await this.#tidying;
  }

  /** Resolves once nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing;
    await this.#tidying;
  }

  async #write(head: Head & { readonly at?: number }): Promise<void> {
    const { store, trainer } = this.#options;
    try {
      await store.checkpoints.write({ at: this.#beganAt, ...head }, this.#slices(head.rows));
    } finally {
      // A snapshot that nobody takes would set every row aside.
      while ((await trainer.slice()) !== undefined);
    }
  }

  /** @throws FatalError where the trainer has another number of rows: the snapshot would be of another commit. */
  async *#slices(rows: number): AsyncIterable<CheckpointBlock> {
    const { trainer, store } = this.#options;
    // Where nothing is trained, a slice is taken while another is written, into memory that is used again.
    const bytes = this.#begun ? AHEAD_BYTES : 0;
    const ahead = Math.max(2, Math.floor(bytes / checkpointBytes(BLOCK_ROWS, store.layout.dim)));
    const asked: ReturnType<Trainer['slice']>[] = [];
    let spent: Float32Array | undefined;
    const next = () => {
      while (asked.length < ahead) {
        const slice = trainer.slice(spent);
        spent = undefined;
        // Avoids an unhandled rejection while the one before is awaited.
        slice.catch(() => undefined);
        asked.push(slice);
      }
      return asked.shift();
    };
    let taken = 0;
    for (let block = await next(); block !== undefined; block = await next()) {
      const written = Promise.withResolvers<void>();
      this.#slice = written.promise;
      taken += block.types.length;
      try {
        yield block;
        spent = block.floats;
      } finally {
        written.resolve();
      }
    }
    if (taken !== rows) throw new FatalError('fault', `the snapshot has ${taken} rows of ${rows}`);
  }
}

/** Commits whose journal a head's new checkpoint makes unnecessary. */
export function* outdated(head: Pick<Head, 'checkpoint'>, checkpoint: number): Iterable<number> {
  for (let commit = head.checkpoint + 1; commit <= checkpoint; commit++) yield commit;
}
