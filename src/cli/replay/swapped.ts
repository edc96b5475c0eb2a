import { setTimeout as pause } from 'node:timers/promises';
import type { GraphConfig } from '../../config/resolve.ts';
import { FatalError, RetryableError } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { openForReading } from '../../state/open.ts';
import { readLive, type StorePlace } from '../../state/places.ts';
import type { Output } from '../output.ts';
import { count } from '../progress-line.ts';
import type { Interrupt } from './interrupt.ts';
import type { Runner } from './runner.ts';

const LOOK_MS = 200;
/** Looking reads the outbox; it takes at most this share of the time. */
const LOOK_SHARE = 0.1;
/** Loading the store, reading the embeddings topic, and the brokers' own troubles. */
const STALLED_MS = 300_000;
/** Entities read at a time. */
const BATCH = 4_096;

/**
 * Waits until a store that was made live has published what the topic held otherwise. Gives how many vectors that were.
 * epoch: the store's before it was live.
 * @throws FatalError when whoever runs it is gone, or gets nowhere. @throws RetryableError `interrupted`.
 */
export async function publishedAnew(
  graph: GraphConfig,
  place: StorePlace,
  { epoch, runner, signals, output }: { epoch: number; runner: Runner; signals: Interrupt; output: Output },
): Promise<number> {
  let step: number | undefined;
  let most = 0;
  let seen = '';
  let since = performance.now();
  for (;;) {
    const began = performance.now();
    const found = await look(graph, place, epoch, step);
    if (found.waiting === 0) return most;
    ({ step } = found);
    most = Math.max(most, found.waiting ?? 0);
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
    if (signals.interrupted()) {
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
 * How many vectors of `step` or before wait to be published: those that moved since are none of what differed.
 * step: the one at which the store took over; undefined before that is seen, as `waiting` is then.
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
