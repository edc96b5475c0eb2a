import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { databaseFolder } from './open.ts';
import { type Live, makeLive, type PlacedGraph, placeOf, readLive, writeAside } from './places.ts';

type Graph = PlacedGraph;

const promotionSchema = z.object({
  /** The store to make live. */
  store: z.string(),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()),
});

/** A request to make another store of a graph live. The process that runs the graph sees and fulfils it. */
export type Promotion = z.infer<typeof promotionSchema>;

export async function requestPromotion(graph: Graph, promotion: Promotion): Promise<void> {
  await writeAside(promotionFile(graph), `${JSON.stringify(promotion)}\n`);
}

export function pendingPromotion(graph: Graph): Promotion | undefined {
  const path = promotionFile(graph);
  try {
    return promotionSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const message = `${path} can't be read: ${reasonOf(error)}; remove the file and run twhin replay promote again`;
    throw new FatalError('promotion', message, { cause: error });
  }
}

export async function dropPromotion(graph: Graph): Promise<void> {
  await rm(promotionFile(graph), { force: true });
}

/**
 * Fulfils a pending promotion. No process may be writing the live store. After a crash at any moment either store is live,
 * and the request stands until it is fulfilled.
 * @throws FatalError when the store does not exist: a run would make an empty store under its name.
 */
export async function settlePromotion(graph: Graph): Promise<Live | undefined> {
  const promotion = pendingPromotion(graph);
  if (promotion === undefined) return undefined;
  const place = placeOf(graph, promotion.store);
  if (!existsSync(join(databaseFolder(place), 'CURRENT'))) {
    await dropPromotion(graph);
    throw new FatalError('promotion', `there is no store ${promotion.store} in ${place.folder} to make live`);
  }
  const before = readLive(graph);
  const live =
    before.live === promotion.store ? before : await makeLive(graph, promotion.store, promotion.set);
  await dropPromotion(graph);
  return live;
}

function promotionFile({ folder }: Graph): string {
  return join(folder, 'promote.json');
}
