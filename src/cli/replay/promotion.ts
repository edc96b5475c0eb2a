import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, RetryableError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Log } from '../../log.ts';
import {
  databaseFolder,
  type Holder,
  hasEnded,
  openForReading,
  openForWriting,
  readHolder,
} from '../../state/open.ts';
import { livePlace, readLive, type StorePlace } from '../../state/places.ts';
import { dropPromotion, pendingPromotion, requestPromotion, settlePromotion } from '../../state/promotion.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import type { Output } from '../output.ts';
import { headOf } from './store.ts';

const LOOK_MS = 200;
/** Time for a graceful stop of the updater, and a margin. */
const SWAP_MS = 120_000;
/** Time for loading the store, reading the embeddings topic, and trouble with the brokers. */
const STALLED_MS = 300_000;
/** A look at the outbox reads all of it, and may take at most this share of the time. */
const LOOK_SHARE = 0.1;
/** Entities read at a time. */
const BATCH = 4_096;
/** Time in which a supervisor may restart the updater. */
const RESTART_MS = 10_000;

/**
 * Makes the store the live store: the running updater swaps to it, or this process does if no updater is running. Waits
 * until the vectors that differ are republished.
 * Gives the store that was live before, and whether all vectors that differ are published; false: no updater is running.
 * @throws FatalError `promotion` when the updater does not swap, and nothing has changed, or when it does not publish.
 * @throws RetryableError `interrupted`, saying which store is live.
 */
export async function promoteStore(
  graph: GraphConfig,
  place: StorePlace,
  set: readonly string[],
  { world, output, stopping }: Pick<CommandContext, 'world' | 'output' | 'stopping'>,
  log: Log,
): Promise<{ previous: string; published: boolean }> {
  const previous = readLive(graph).live;
  const promotion = { graph, place, openStore: world.openStore, log };
  const request = () => requestPromotion(graph, { store: place.name, set: [...set] });
  const swapped = await swapHere(promotion, request).catch(async (error: unknown) => {
    // The command failed, so no updater may carry out the request later.
    await dropPromotion(graph);
    throw error;
  });
  if (swapped) return { previous, published: false };
  // Before the updater is asked, which may swap at once and raise it.
  const epoch = (await headOf(graph, place))?.epoch ?? 0;
  await request();
  return { previous, published: await followSwap(promotion, { previous, epoch, stopping, output }) };
}

/**
 * Waits until the running updater has swapped, as it was asked to, and has republished the vectors that differ. Gives false if the
 * updater was gone and this process made the swap. Their number is in the updater's log alone: its outbox may fill and empty
 * between two looks.
 * previous: the store that was live. epoch: of the store to be live, before that.
 * @throws as `promoteStore` does.
 */
export async function followSwap(
  promotion: Promoting,
  {
    previous,
    epoch,
    stopping,
    output,
  }: {
    readonly previous: string;
    readonly epoch: number;
    readonly stopping: AbortSignal;
    readonly output: Output;
  },
): Promise<boolean> {
  const { graph, place, log } = promotion;
  log.info({ graph: graph.name, store: place.name }, 'asked the running updater to swap');
  const runner = new Runner(graph);
  const tell = () => output.status(`${graph.name}: waiting for the running updater to end with ${previous}`);
  try {
    if (!(await awaitSwap(promotion, runner, stopping, tell))) return false;
    await awaitRepublished(graph, place, { epoch, runner, stopping, output });
    return true;
  } finally {
    output.statusDone();
  }
}

/** A store that is to be live. */
export interface Promoting {
  readonly graph: GraphConfig;
  readonly place: StorePlace;
  readonly openStore: CommandContext['world']['openStore'];
  readonly log: Log;
}

/**
 * Makes the store live while this process holds the store that was live before, so that no updater can start on it.
 * Gives false if an updater is running.
 * request: asks for the promotion, if that is not done yet. It is called while the store is held, because an updater
 * could otherwise end between the request and the swap.
 */
async function swapHere(
  promotion: Promoting,
  request: () => Promise<void> = async () => {},
): Promise<boolean> {
  const held = await holdLive(promotion);
  if (held === undefined) return false;
  try {
    await request();
    await settlePromotion(promotion.graph);
  } finally {
    await held.release();
  }
  return true;
}

/** Holds the live store, where there is one that can be opened, so that no updater can start on it; undefined if one is running. */
export async function holdLive({
  graph,
  openStore,
  log,
}: Promoting): Promise<{ release(): Promise<void> } | undefined> {
  const nothing = { release: async () => {} };
  const place = livePlace(graph);
  if (!existsSync(databaseFolder(place))) return nothing;
  try {
    const store = await openForWriting(graph, { place, openStore });
    return { release: () => store.close() };
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    if (error.code === 'store-in-use') return undefined;
    if (error.code !== 'store-open') throw error;
    // No updater can run on a damaged store, and a damaged store is the best reason for a promotion.
    log.warn(
      { graph: graph.name, store: place.name, code: error.code, reason: error.message },
      "the live store can't be opened",
    );
    return nothing;
  }
}

/** Waits until the running updater has swapped. Gives false if the updater is gone and this process made the swap. */
async function awaitSwap(
  promotion: Promoting,
  runner: Runner,
  stopping: AbortSignal,
  tell: () => void,
): Promise<boolean> {
  const { graph, place } = promotion;
  const isLive = () => readLive(graph).live === place.name;
  const deadline = performance.now() + SWAP_MS;
  while (!isLive()) {
    const pending = pendingPromotion(graph);
    if (pending?.refused !== undefined) {
      await dropPromotion(graph);
      throw new FatalError(
        'promotion',
        `${place.name} was not made the live store of ${graph.name}, and nothing has changed: ${pending.refused}`,
      );
    }
    if (pending?.store !== place.name && !isLive()) {
      const instead =
        pending === undefined ? 'it was taken back' : `that of ${pending.store} was asked for meanwhile`;
      throw new FatalError(
        'promotion',
        `${place.name} was not made the live store of ${graph.name}: ${instead}`,
      );
    }
    if (runner.gone() && (await swapHere(promotion))) return false;
    if (stopping.aborted || performance.now() > deadline) {
      await dropPromotion(graph);
      if (isLive()) return true;
      if (stopping.aborted) throw new RetryableError('interrupted', 'interrupted; nothing has changed');
      const message = `the process that runs ${graph.name} did not swap within ${SWAP_MS / 1000} s; see its log`;
      throw new FatalError('promotion', `${message}. Nothing has changed; ask again once it runs well`);
    }
    tell();
    await pause(LOOK_MS);
  }
  return true;
}

/**
 * Waits until the new live store has republished the vectors that differed in the topic.
 * epoch: the epoch of the store before it was live.
 * @throws FatalError when the updater is gone or makes no progress. @throws RetryableError `interrupted`.
 */
async function awaitRepublished(
  graph: GraphConfig,
  place: StorePlace,
  {
    epoch,
    runner,
    stopping,
    output,
  }: { epoch: number; runner: Runner; stopping: AbortSignal; output: Output },
): Promise<void> {
  let step: number | undefined;
  let seen = '';
  let since = performance.now();
  for (;;) {
    const began = performance.now();
    const found = await look(graph, place, epoch, step);
    if (found.waiting === 0) return;
    ({ step } = found);
    const now = JSON.stringify(found);
    if (now !== seen) since = performance.now();
    seen = now;
    const trouble = troubleOf(graph, place, runner, since);
    if (trouble !== undefined) {
      throw new FatalError(
        'promotion',
        `${place.name} is the live store of ${graph.name}, and what differs is not all published: ${trouble}`,
      );
    }
    if (stopping.aborted) {
      throw new RetryableError(
        'interrupted',
        `interrupted; ${place.name} is the live store of ${graph.name}, and the process that runs it goes on to publish what differs`,
      );
    }
    output.status(`${graph.name}: ${place.name} is live; ${describe(found.waiting)}`);
    await pause(Math.max(LOOK_MS, (performance.now() - began) / LOOK_SHARE));
  }
}

function describe(waiting: number | undefined): string {
  return waiting === undefined ? 'it is taking over' : `${count(waiting)} vectors to be published`;
}

function troubleOf(graph: GraphConfig, place: StorePlace, runner: Runner, since: number): string | undefined {
  const { live } = readLive(graph);
  if (live !== place.name) return `${live} was made live after it`;
  const back = `twhin replay promote --rollback --graph ${graph.name} goes back`;
  if (runner.gone()) {
    return `the process that ran it has ended; see its log, and start it again: it publishes the rest. ${back}`;
  }
  if (performance.now() - since < STALLED_MS) return undefined;
  return `nothing moved for ${STALLED_MS / 1000} s; see the log of the process that runs it: a standby publishes once it leads. ${back}`;
}

/**
 * How many vectors of `step` or before wait to be published. Vectors that moved later did not differ at the swap.
 * step: the step at which the store took over; undefined, like `waiting`, until that was seen.
 */
async function look(
  graph: GraphConfig,
  place: StorePlace,
  epoch: number,
  step: number | undefined,
): Promise<{ step: number | undefined; waiting: number | undefined }> {
  const store = await openForReading(graph, place);
  try {
    const head = await store?.head();
    if (store === undefined || head === undefined || head.epoch <= epoch) return { step, waiting: undefined };
    const until = step ?? head.step;
    return { step: until, waiting: await waitingSince(store, until) };
  } finally {
    await store?.close();
  }
}

/** Vectors of `step` or before, and tombstones, in the outbox. */
export async function waitingSince(store: GraphStore, step: number): Promise<number> {
  let waiting = 0;
  let keys: EntityKey[] = [];
  const add = async () => {
    const rows = (await store.readEntities(keys)).map((entity) => entity?.row);
    const vectors = await store.readVectors(rows.filter((row) => row !== undefined));
    for (const row of rows) {
      const vector = row === undefined ? undefined : vectors.get(row);
      if (vector === undefined || vector.step <= step) waiting++;
    }
    keys = [];
  };
  for await (const key of store.outbox()) if (keys.push(key) === BATCH) await add();
  if (keys.length > 0) await add();
  return waiting;
}

/** The process that runs a graph, as seen from another process. */
export class Runner {
  readonly #graph: Parameters<typeof livePlace>[0];
  readonly #clock: () => number;
  #holder: Holder | undefined;
  #goneSince: number | undefined;

  constructor(graph: Parameters<typeof livePlace>[0], clock: () => number = Date.now) {
    this.#graph = graph;
    this.#clock = clock;
    this.#holder = readHolder(livePlace(graph));
  }

  /**
   * Whether the process has ended and no other process took its place within 10 s. A process on another machine never
   * counts as gone.
   */
  gone(): boolean {
    const holder = readHolder(livePlace(this.#graph));
    if (holder !== undefined && !hasEnded(holder)) this.#holder = holder;
    if (this.#holder === undefined || !hasEnded(this.#holder)) {
      this.#goneSince = undefined;
      return false;
    }
    this.#goneSince ??= this.#clock();
    return this.#clock() - this.#goneSince >= RESTART_MS;
  }
}
