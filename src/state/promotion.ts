import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { databaseFolder } from './open.ts';
import { type Live, makeLive, placeOf, readLive, writeAside } from './places.ts';

type Graph = Pick<GraphConfig, 'name' | 'folder'>;

const promotionSchema = z.object({
  /** The store that is to be live. */
  store: z.string(),
  /** Settings it is run with beside the configuration's own, `key=value` each. */
  set: z.array(z.string()),
});

/** A wish that another of a graph's stores be the live one. Whoever runs the graph sees it and makes it so. */
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
    const message = `${path} can't be read: ${reasonOf(error)}; remove it and ask again: twhin replay promote`;
    throw new FatalError('promotion', message, { cause: error });
  }
}

export async function dropPromotion(graph: Graph): Promise<void> {
  await rm(promotionFile(graph), { force: true });
}

/**
 * Makes the store that a pending promotion names the live one; nobody may be writing the one before. A crash at any
 * moment leaves either of them live, and the wish standing until it is fulfilled.
 * @throws FatalError when there is no such store: a run would make an empty one under its name.
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
