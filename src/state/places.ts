import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, hasCode, UsageError } from '../errors/errors.ts';
import { readJson, writeJson } from './json-file.ts';

/*
 * STATE/<graph>/              the first store, named main
 *   db/                       RocksDB, and the checkpoint with the vectors: checkpoint-<commit>
 *   holder.json               the process that writes the store
 *   live.json                 the name of the live store; absent: main. A running updater follows it within a second
 *   instance-id               the name under which processes on this folder join the graph's group
 *   stores/<name>/            any other store, with the same layout
 *     db/ holder.json
 *     origin.json             how the store was made, the settings it is trained with, and what a replay reads
 *   stores/shards-<count>/    the store that twhin reshard made for a graph of so many shards; live with that number
 *   restoring/<name>/         a store that is being made; see staged-store.ts
 *
 * live.json is written aside and renamed, so that at any moment exactly one store is live.
 */

/** The store that every graph starts with. */
export const FIRST_STORE = 'main';

/** The word for the live store in place of a name. */
export const LIVE = 'live';

/** A store of a graph: the live store, a shadow, or a store kept to go back to. */
export interface StorePlace {
  readonly graph: string;
  readonly name: string;
  readonly folder: string;
}

/** A graph or a shard, as far as its stores go by it. */
export type PlacedGraph = Pick<GraphConfig, 'name' | 'folder' | 'shard'>;

/** Name of the store that `twhin reshard` makes for a graph of so many shards. */
export function reshardedName(count: number): string {
  return `shards-${count}`;
}

/** Folder of a store while it is made. */
export function stagingFolder({ folder }: PlacedGraph, name: string): string {
  return join(folder, 'restoring', name);
}

const liveSchema = z.object({
  live: z.string(),
  /** The store that was live before; null at first. */
  previous: z.string().nullable(),
  /** ISO 8601. */
  since: z.string(),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()).default([]),
});

export type Live = z.infer<typeof liveSchema>;

/** The live store of a graph without a `live.json`. No other live store may be missing on disk. */
export const FIRST_LIVE: Live = {
  live: FIRST_STORE,
  previous: null,
  since: new Date(0).toISOString(),
  set: [],
};

/** The place of a store by its name. @throws UsageError when no store can have the name. */
export function placeOf(graph: PlacedGraph, name: string): StorePlace {
  if (!isStoreName(name)) {
    throw new UsageError(
      `expected a store's name of lower-case letters, digits, - and _, and not ${LIVE}; seen ${JSON.stringify(name)}`,
    );
  }
  const folder = name === FIRST_STORE ? graph.folder : join(graph.folder, 'stores', name);
  return { graph: graph.name, name, folder };
}

function isStoreName(name: string): boolean {
  return name !== LIVE && /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name);
}

/**
 * The live store: the one that was named last, by live.json or by `twhin reshard`. A store that `twhin reshard` made counts
 * only while the graph has the number of shards that the store was made for.
 * @throws FatalError when a record can't be read, since a guess could train the wrong store, and where `twhin reshard` did
 * not end, since the run would start from scratch.
 */
export function readLive(graph: PlacedGraph): Live {
  const named = readJson(livePath(graph), liveSchema, unreadableLive) ?? FIRST_LIVE;
  const count = graph.shard?.count ?? 1;
  const name = reshardedName(count);
  const staged = stagingFolder(graph, name);
  if (existsSync(staged))
    throw new FatalError(
      'reshard',
      `twhin reshard --to ${count} was interrupted: ${staged} is left of it. Set the number of shards back ` +
        `to what it was, give the command again, and set the number to ${count} when it is done`,
    );
  const origin = readOrigin(placeOf(graph, name));
  if (origin?.from !== 'reshard' || !(Date.parse(origin.since) > Date.parse(named.since))) return named;
  return { live: name, previous: named.live, since: origin.since, set: origin.set };
}

export function livePlace(graph: PlacedGraph): StorePlace {
  return placeOf(graph, readLive(graph).live);
}

/** Every store besides the first, by name. Folders with other than store names are ignored. */
export function otherPlaces(graph: PlacedGraph): StorePlace[] {
  try {
    return readdirSync(join(graph.folder, 'stores'))
      .filter(isStoreName)
      .sort()
      .map((name) => placeOf(graph, name));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Makes a store the live store. The previous one stays where it is. Safe against a crash at any moment. */
export async function makeLive(graph: PlacedGraph, name: string, set: readonly string[]): Promise<Live> {
  const before = readLive(graph);
  const previous = before.live === name ? before.previous : before.live;
  const live: Live = { live: name, previous, since: new Date().toISOString(), set: [...set] };
  await writeJson(livePath(graph), live);
  return live;
}

function livePath({ folder }: PlacedGraph): string {
  return join(folder, 'live.json');
}

function unreadableLive(what: string, cause: unknown): FatalError {
  const remedy =
    `the file names the live store: write {"live":"${FIRST_STORE}","previous":null,"since":""} to it, or for a store in stores/ ` +
    '{"live":"NAME","previous":null,"since":"","set":[…]} with the "set" of stores/NAME/origin.json';
  return new FatalError('live-store', `${what}; ${remedy}`, { cause });
}

const offset = z.number().int().nonnegative();

const replaySchema = z.object({
  /** As typed; a time before now was resolved once, at the first start. */
  from: z.string(),
  until: z.string(),
  publish: z.string().nullable(),
  /** Name of the training run, also over several processes. */
  space: z.string(),
  /** Stands for all settings that decide the bytes of the store. */
  settings: z.string(),
  /** Every partition of the graph's topics. */
  range: z.array(z.object({ topic: z.string(), partition: offset, from: offset, until: offset })),
  /** Id of each topic in the log; a recreated topic has other records at the same offsets. */
  topicIds: z.record(z.string(), z.string()),
  /** ISO 8601; null until the replay has finished. */
  finished: z.string().nullable(),
});

/** What a replay was asked for and what it reads, kept so that it can continue after an interruption. */
export type ReplayRecord = z.infer<typeof replaySchema>;

const ORIGIN = 'origin.json';
const originSchema = z.object({
  from: z.enum(['replay', 'backup', 'topic', 'reshard']),
  /** Settings that override the configuration, `key=value` each. */
  set: z.array(z.string()),
  /** ISO 8601. */
  since: z.string(),
  /** The record of a replay, in its store's folder. */
  replay: replaySchema.optional(),
});

/** How a store was made, and the settings it must be run with. */
export type Origin = z.infer<typeof originSchema>;

/** Undefined for a store that was always live. @throws FatalError when the record can't be read. */
export function readOrigin({ folder }: StorePlace): Origin | undefined {
  const remedy = `the file holds the settings of the store: remove ${folder}, and make the store again: restore a backup, or replay the topics`;
  const unreadable = (what: string, cause: unknown) =>
    new FatalError('store-origin', `${what}; ${remedy}`, { cause });
  return readJson(join(folder, ORIGIN), originSchema, unreadable);
}

export function writeOrigin({ folder }: StorePlace, origin: Origin): Promise<void> {
  return writeJson(join(folder, ORIGIN), origin);
}

/**
 * The settings that the live stores of a graph were trained with. parts: the graph, or all of its shards.
 * @throws FatalError `promotion-mixed` where shards were trained with different ones: not all were promoted.
 */
export function liveSettings(parts: readonly PlacedGraph[]): readonly string[] {
  const lives = parts.map((part) => ({ part, live: readLive(part) }));
  const [first] = lives;
  const other = lives.find(({ live }) => live.set.join('\n') !== first?.live.set.join('\n'));
  if (first === undefined || other === undefined) return first?.live.set ?? [];
  throw new FatalError(
    'promotion-mixed',
    `${first.part.name} runs on ${first.live.live} and ${other.part.name} on ${other.live.live}, which were trained with other settings: ` +
      `[${first.live.set.join(' ')}] and [${other.live.set.join(' ')}]. Give twhin promote NAME again, so that all shards run on ` +
      'stores of one training',
  );
}
