import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { type Shard, shardName } from '../graph/shard.ts';
import { isStore } from './open.ts';
import { type Live, livePlace, makeLive, type PlacedGraph, placeOf, readLive, writeAside } from './places.ts';

type Graph = PlacedGraph;

const promotionSchema = z.object({
  /** The store to make live. */
  store: z.string(),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()),
  /** Why the process that runs the graph does not fulfil it; absent until it has refused. */
  refused: z.string().optional(),
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
 * The pending promotion, where it may be fulfilled. In a shard that is once every shard with a live store in this state folder is to
 * be promoted to a store of that name, or was: a command that is killed while it asks them leaves no graph half promoted.
 */
export function duePromotion(graph: Graph): Promotion | undefined {
  const promotion = asked(graph);
  if (promotion === undefined || graph.shard === undefined) return promotion;
  const { store } = promotion;
  const goesAlong = (sibling: Graph) =>
    !hasLiveStore(sibling) || readLive(sibling).live === store || asked(sibling)?.store === store;
  return siblingsOf(graph.folder, graph.shard).every(goesAlong) ? promotion : undefined;
}

/** The pending promotion, unless it was refused. */
function asked(graph: Graph): Promotion | undefined {
  const promotion = pendingPromotion(graph);
  return promotion?.refused === undefined ? promotion : undefined;
}

/** Whether the graph's or shard's live store is in this state folder. */
export function hasLiveStore(graph: Graph): boolean {
  return isStore(livePlace(graph));
}

/** The other shards of a graph, as their folders lie in the same state folder. */
function siblingsOf(folder: string, { graph, index, count }: Shard): Graph[] {
  const all = Array.from({ length: count }, (_, other) => {
    const shard = { graph, index: other, count };
    const name = shardName(shard);
    return { name, folder: join(dirname(folder), name), shard };
  });
  return all.filter(({ shard }) => shard.index !== index);
}

/**
 * Fulfils a promotion that is due. No process may be writing the live store. After a crash at any moment either store is live,
 * and the request stands until it is fulfilled.
 * @throws FatalError when the store does not exist: a run would make an empty store under its name.
 */
export async function settlePromotion(graph: Graph): Promise<Live | undefined> {
  const promotion = duePromotion(graph);
  if (promotion === undefined) return undefined;
  const place = placeOf(graph, promotion.store);
  if (!isStore(place)) {
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
