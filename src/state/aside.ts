import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { GraphStore } from '../graph/graph-store.ts';
import type { Layout } from '../graph/layout.ts';
import { databaseFolder } from './open.ts';
import { type Origin, writeOrigin } from './origin.ts';
import { FIRST_STORE, makeLive, placeOf, readLive, type StorePlace } from './places.ts';

/*
 * STATE/<graph>/restoring/<name>/    a store that is being made, laid out as any other; no command looks for it there
 */
const ASIDE = 'restoring';

type Graph = { readonly name: string; readonly folder: string };

/**
 * Where a store that is made in one go is to stand.
 * into: its name; otherwise it becomes the graph's first store.
 * @throws FatalError when there is one already: none is ever replaced.
 */
export function newPlace(graph: Graph, into: string | undefined, command: string): StorePlace {
  const place = placeOf(graph, into ?? FIRST_STORE);
  const taken = place.name === FIRST_STORE ? existsSync(databaseFolder(place)) : existsSync(place.folder);
  const { live } = readLive(graph);
  if (!taken && (into !== undefined || live === FIRST_STORE)) return place;
  const there = taken ? `a store ${place.name} in ${place.folder}` : `a live store ${live}`;
  throw new FatalError(
    'store-exists',
    `${graph.name} has ${there} already, and no store is ever replaced. Make it beside that one, with ` +
      `${command} --graph ${graph.name} --into NAME for a name that is not in use, then put it in its place with ` +
      `twhin replay promote NAME --graph ${graph.name}`,
  );
}

/** A store in the making: filled, looked at, and then put in its place whole, or never seen. */
export class Aside {
  /** Where it is while it is made. */
  readonly place: StorePlace;
  readonly #graph: Graph;
  readonly #target: StorePlace;

  constructor(graph: Graph, target: StorePlace) {
    this.#graph = graph;
    this.#target = target;
    this.place = { ...target, folder: join(graph.folder, ASIDE, target.name) };
  }

  /** Held while the store is made, so that two are not made in one place; its folder is there. */
  async lockFile(): Promise<string> {
    const folder = dirname(this.place.folder);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw new FatalError('store-open', `${folder} can't be made: ${reasonOf(error)}`, { cause: error });
    });
    return `${this.place.folder}.lock`;
  }

  /** Begins anew, whatever one that did not end has left. What `fill` writes survives a power loss. */
  async make(layout: Layout, fill: (store: GraphStore) => Promise<void>): Promise<void> {
    await this.remove();
    const store = new GraphStore(await openRocksdb(databaseFolder(this.place), { durable: true }), layout);
    try {
      await fill(store);
    } finally {
      await store.close();
    }
  }

  /** Puts the store in its place, which must still be free. */
  async settle(origin: Origin): Promise<void> {
    await writeOrigin(this.place, origin);
    const target = this.#target;
    try {
      if (target.name === FIRST_STORE) {
        // First the settings: a store that went on under others would be another model's.
        if (origin.set.length > 0) await makeLive(this.#graph, FIRST_STORE, origin.set);
        await writeOrigin(target, origin);
        await rename(databaseFolder(this.place), databaseFolder(target));
      } else {
        await mkdir(dirname(target.folder), { recursive: true });
        await rename(this.place.folder, target.folder);
      }
    } catch (error) {
      throw new FatalError(
        'store-exists',
        `the store can't be put in its place, ${target.folder}: ${reasonOf(error)}; was one made there meanwhile? ` +
          'What is there was not touched',
        { cause: error },
      );
    }
    await syncFolder(dirname(target.name === FIRST_STORE ? databaseFolder(target) : target.folder));
    await this.remove();
  }

  async remove(): Promise<void> {
    await rm(this.place.folder, { recursive: true, force: true });
  }
}

/** Makes a rename outlast a power loss; where folders can't be opened it is left to the system. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  try {
    await folder?.sync();
  } finally {
    await folder?.close();
  }
}
