import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../adapters/atomic-file.ts';
import { withLock } from '../adapters/file-lock.ts';
import { keepOnExit, removeOnExit } from '../adapters/leftovers.ts';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import { FatalError, reasonOf, UsageError } from '../errors/errors.ts';
import { type CheckReport, checkStore } from '../graph/check/check.ts';
import { FINDINGS } from '../graph/check/findings.ts';
import { GraphStore } from '../graph/graph-store.ts';
import { encodeHead, type Head } from '../graph/head.ts';
import { Layout } from '../graph/layout.ts';
import { databaseFolder, openForReading, type StoreModel } from './open.ts';
import {
  FIRST_STORE,
  makeLive,
  type Origin,
  type PlacedGraph,
  placeOf,
  readLive,
  type StorePlace,
  stagingFolder,
  writeOrigin,
} from './places.ts';

/** The place for a restored store: named `into`, else the graph's first. @throws FatalError where a store is: none is replaced. */
export function newPlace(graph: PlacedGraph, into: string | undefined, command: string): StorePlace {
  const place = placeOf(graph, into ?? FIRST_STORE);
  const aside = `stop the shard, move ${graph.folder} away, and give ${command} --graph ${graph.name}`;
  if (graph.shard !== undefined && into !== undefined) {
    throw new UsageError(
      `--into: a store beside that of the shard ${graph.name} could never be made live: alone, it would lack what the other ` +
        `shards sent meanwhile. To replace the shard's store, ${aside} without --into`,
    );
  }
  const taken = place.name === FIRST_STORE ? existsSync(databaseFolder(place)) : existsSync(place.folder);
  const { live } = readLive(graph);
  if (!taken && (into !== undefined || live === FIRST_STORE)) return place;
  const there = taken ? `a store ${place.name} in ${place.folder}` : `a live store ${live}`;
  const remedy = graph.shard
    ? `To replace it, ${aside}`
    : `Make the new store beside it, with ${command} --graph ${graph.name} --into NAME for a name that is not in use, then make it live ` +
      `with twhin promote NAME --graph ${graph.name}`;
  throw new FatalError(
    'store-exists',
    `${graph.name} already has ${there}, and stores are never replaced. ${remedy}`,
  );
}

/** A store that is made and checked in a staging folder, and then moved to its place in one rename, or removed. */
export class StagedStore {
  readonly place: StorePlace;
  readonly #graph: PlacedGraph;
  readonly #target: StorePlace;

  constructor(graph: PlacedGraph, target: StorePlace) {
    this.#graph = graph;
    this.#target = target;
    this.place = { ...target, folder: stagingFolder(graph, target.name) };
  }

  /** The empty store, to be filled and closed, whose writes survive a power loss. Removes what an interrupted attempt left. */
  async open(layout: Layout): Promise<GraphStore> {
    await this.remove();
    removeOnExit(this.place.folder);
    return new GraphStore(await openRocksdb(databaseFolder(this.place), { durable: true }), layout);
  }

  /** From now on the store outlives the process. A reshard calls this for all before it settles the first, so that none is lost. */
  keep(): void {
    keepOnExit(this.place.folder);
  }

  /** Moves the store to its place, which must still be free. */
  async settle(origin: Origin): Promise<void> {
    this.keep();
    await writeOrigin(this.place, origin);
    const target = this.#target;
    try {
      if (target.name === FIRST_STORE) {
        // Settings first: with others, such as those of the store before, training would go on with another model.
        if (existsSync(databaseFolder(target))) throw new Error('there is a store');
        const { live, set } = readLive(this.#graph);
        if (live === FIRST_STORE && origin.set.join('\n') !== set.join('\n'))
          await makeLive(this.#graph, FIRST_STORE, origin.set);
        await writeOrigin(target, origin);
        await rename(databaseFolder(this.place), databaseFolder(target));
      } else {
        await mkdir(dirname(target.folder), { recursive: true });
        await rename(this.place.folder, target.folder);
      }
    } catch (error) {
      if (error instanceof FatalError) throw error;
      throw new FatalError(
        'store-exists',
        `the store can't be moved to its place, ${target.folder}: ${reasonOf(error)}; was another store made there ` +
          'meanwhile? Nothing there was changed',
        { cause: error },
      );
    }
    await syncFolder(dirname(target.name === FIRST_STORE ? databaseFolder(target) : target.folder));
    await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.place.folder, { recursive: true, force: true });
    keepOnExit(this.place.folder);
  }
}

/** A store to be made again, from a backup or a topic. */
export interface Restoring {
  readonly graph: StoreModel;
  /** Where the store goes; the place is free. */
  readonly target: StorePlace;
  readonly origin: Omit<Origin, 'since'>;
  /** Writes the whole content, and gives the head that the store should then have. */
  fill(store: GraphStore): Promise<Head>;
}

/** Fills a staged store, and puts it in place once all of it is read back from the disk. @throws FatalError `restore-check`. */
export async function restoreStore(
  { graph, target, origin, fill }: Restoring,
  onChecked: (entries: number) => void,
): Promise<Verified> {
  const staged = new StagedStore(graph, target);
  const wrong = (what: string) =>
    new FatalError(
      'restore-check',
      `the restored store of ${graph.name} is not whole: ${what}. The store was not put in place; use another backup, or twhin replay`,
    );
  const filled = async (): Promise<Head> => {
    await using store = await staged.open(new Layout(graph.model));
    return await fill(store);
  };
  const folder = dirname(staged.place.folder);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new FatalError('store-write', `${folder} can't be made: ${reasonOf(error)}`, { cause: error });
  });
  // So that no other process stages the same store.
  return withLock(`${staged.place.folder}.lock`, async () => {
    try {
      const wanted = await filled();
      await using store = await openForReading(graph, staged.place);
      const verified = await verifyStore(store, wanted, wrong, onChecked);
      await staged.settle({ ...origin, since: new Date().toISOString() });
      return verified;
    } catch (error) {
      await staged.remove();
      throw error;
    }
  });
}

/** What was found in a store that is whole. */
export interface Verified extends CheckReport {
  readonly head: Head;
}

/** Reads a store back that was just written. wrong: makes the error. @throws FatalError where it is not whole, or has another head. */
export async function verifyStore(
  store: GraphStore | undefined,
  wanted: Head | undefined,
  wrong: (what: string) => FatalError,
  onProgress: (entries: number) => void,
): Promise<Verified> {
  if (store === undefined) throw wrong('nothing was written');
  const report = await checkStore(store, onProgress);
  const [first] = report.findings;
  if (first !== undefined)
    throw wrong(`${FINDINGS[first.kind]}, ${first.count} times, such as ${first.samples[0]}`);
  const { head } = report;
  if (head === undefined || wanted === undefined || !encodeHead(head).equals(encodeHead(wanted)))
    throw wrong('it has another head than was written');
  return { ...report, head };
}
