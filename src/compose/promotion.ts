import { exchangeName, fullName, topicName } from '../../topics/index.ts';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import { differences, type Head } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import type { EventLog } from '../pipeline/ports.ts';
import { refuseRecreated } from '../pipeline/writing/topic-identity.ts';
import { isStore, openForWriting, readHead } from '../state/open.ts';
import {
  FIRST_STORE,
  livePlace,
  makeLive,
  placeOf,
  readLive,
  readOrigin,
  type StorePlace,
} from '../state/places.ts';

/** Whether a graph or shard has a store of that name that could be made live. */
export function exists(graph: GraphConfig, name: string): boolean {
  return name === FIRST_STORE || readOrigin(placeOf(graph, name)) !== undefined;
}

/** Whether the graph's or shard's live store is in this state folder. */
export function hasLiveStore(graph: GraphConfig): boolean {
  return isStore(livePlace(graph));
}

/** The store of a graph or shard that is to be live. */
interface Candidate {
  /** As the configuration has it. */
  readonly plain: GraphConfig;
  /** With the settings that the store was trained with. */
  readonly graph: GraphConfig;
  readonly place: StorePlace;
  readonly head: Head;
}

/** The stores of a name, of a whole graph or of its shards, checked to be fit for its updaters. */
export interface Promotion {
  readonly store: string;
  readonly config: Config;
  /** Settings that the stores were trained with. */
  readonly set: readonly string[];
  readonly candidates: readonly Candidate[];
  /** Shards whose live stores are in other state folders. */
  readonly elsewhere: readonly GraphConfig[];
}

/**
 * Checks the stores of a name in all parts that have a live store in this state folder.
 * parts: a whole graph, or all of its shards, as the configuration has them.
 * @throws UsageError, FatalError where the stores could not be run. Nothing has changed then.
 */
export async function checkPromotion(
  parts: readonly GraphConfig[],
  store: string,
  configWith: (set: readonly string[]) => Promise<Config>,
): Promise<Promotion> {
  const { here, elsewhere } = sharesOf(parts, store);
  const set = settingsOf(here, store);
  const config = await configWith(set);
  const candidates: Candidate[] = [];
  for (const plain of here) {
    const graph = config.graphs.find((each) => each.name === plain.name) ?? plain;
    const place = placeOf(graph, store);
    candidates.push({ plain, graph, place, head: await headOf(graph, place) });
    await refuseOtherProcess(plain, store, configWith);
  }
  const [first] = candidates;
  const other = candidates.find(({ head }) => head.space !== first?.head.space);
  if (first && other) throw notOne(first.plain, other.plain, store, 'are of different trainings');
  return { store, config, set, candidates, elsewhere };
}

/** The parts to be promoted here. @throws FatalError `promotion-mixed` where some of these have no store of the name. */
function sharesOf(
  parts: readonly GraphConfig[],
  store: string,
): { here: readonly GraphConfig[]; elsewhere: readonly GraphConfig[] } {
  const withStore = parts.filter((part) => exists(part, store));
  const live = parts.filter(hasLiveStore);
  const here = live.length > 0 ? live : withStore;
  const lacking = here.filter((part) => !withStore.includes(part));
  const [first] = lacking;
  if (first !== undefined) {
    throw new FatalError(
      'promotion-mixed',
      `${lacking.map(({ name }) => name).join(', ')} has a live store here and no store ${store}, which other shards have: shards run on stores of ` +
        `one training. Bring the store to ${placeOf(first, store).folder}, or make ${store} for all with twhin replay --graph ${graphOf(first)} ` +
        `--into ${store}`,
    );
  }
  return { here, elsewhere: parts.filter((part) => !here.includes(part)) };
}

/** The settings that all of the stores were trained with. */
function settingsOf(parts: readonly GraphConfig[], store: string): readonly string[] {
  const sets = parts.map((part) => readOrigin(placeOf(part, store))?.set ?? []);
  const other = sets.findIndex((set) => set.join('\n') !== sets[0]?.join('\n'));
  if (other < 0) return sets[0] ?? [];
  throw notOne(parts[0]!, parts[other]!, store, 'were trained with other settings');
}

function notOne(a: GraphConfig, b: GraphConfig, store: string, what: string): FatalError {
  return new FatalError(
    'promotion-mixed',
    `the stores ${store} of ${a.name} and ${b.name} ${what}, and shards run on stores of one training. Bring those of one replay ` +
      `together, or replay again with twhin replay --graph ${graphOf(a)} --into NAME`,
  );
}

/** The head of a store that can be made live. @throws UsageError, FatalError where it cannot. */
async function headOf(graph: GraphConfig, place: StorePlace): Promise<Head> {
  if (readOrigin(place)?.replay?.finished === null) {
    throw new UsageError(
      `the replay into ${place.name} is not finished: give the same twhin replay command again to go on with it, and promote it then`,
    );
  }
  const head = await readHead(graph, place);
  if (head === undefined) {
    throw new FatalError('store-missing', `there is no store ${place.name} in ${place.folder}`);
  }
  const { name, shard } = graph;
  if (head.graph !== name || head.shard?.count !== shard?.count) {
    throw new FatalError(
      'store-graph',
      `the store in ${place.folder} is that of ${head.graph}, of ${head.shard?.count ?? 1} shards, and the configuration asks for ${name} of ` +
        `${shard?.count ?? 1}. Replay the graph again, or set the number of shards to that of the store`,
    );
  }
  const differing = differences(head.model, graph.model);
  if (differing.length > 0) {
    throw new FatalError(
      'store-model',
      `${place.name} is of another model than is configured: ${differing.join('; ')}. It could not be run; put the ` +
        'configuration back that it was made with, or make it again',
    );
  }
  return head;
}

/**
 * Makes sure that no updater runs that was started with another model than this configuration has: it could not take the store. Its
 * live store tells what it was started with. @throws FatalError `promotion`.
 */
async function refuseOtherProcess(
  plain: GraphConfig,
  store: string,
  configWith: (set: readonly string[]) => Promise<Config>,
): Promise<void> {
  const { set } = readLive(plain);
  const place = livePlace(plain);
  const head = await readHead(plain, place).catch(undefinedIfDamaged);
  if (head === undefined) return;
  const now = (await configWith(set)).graphs.find(({ name }) => name === plain.name);
  const differing = now && differences(head.model, now.model, ['its live store', 'this configuration']);
  if (differing?.length === 0 || !(await isRun(plain, place))) return;
  throw new FatalError(
    'promotion',
    `${store} was not made the live store of ${plain.name}, and nothing has changed: the process that runs ${plain.name} was started ` +
      `with another model: ${differing?.join('; ')}. Stop that process, give the command again, and start the process with the new ` +
      'configuration',
  );
}

/** No updater runs on a damaged store, and a damaged store is the best reason for a promotion. */
function undefinedIfDamaged(error: unknown): undefined {
  if (error instanceof FatalError && error.code === 'store-open') return;
  throw error;
}

/** Whether a process has the store open for writing. */
async function isRun(graph: GraphConfig, place: StorePlace): Promise<boolean> {
  try {
    const store = await openForWriting(graph, { place, openStore: openRocksdb, keepsImage: true });
    await store.close();
    return false;
  } catch (error) {
    if (error instanceof FatalError && error.code === 'store-in-use') return true;
    throw error;
  }
}

/**
 * How many records each store has still to read, in the order of the candidates.
 * @throws FatalError when the log no longer holds the next record, or a topic was recreated: no updater could go on there.
 */
export async function recordsBehind(
  { config, candidates }: Promotion,
  reader: EventLog,
): Promise<readonly number[]> {
  const behind: number[] = [];
  for (const { graph, head, place } of candidates) {
    const topics = graph.topics.map((topic) => fullName(config.topicPrefix, topic));
    behind.push(await behindIn(topics, graph, head, place, reader));
    const exchange = topicName(config.topicPrefix, exchangeName(graphOf(graph)));
    if (head.offsets[exchange] !== undefined) await behindIn([exchange], graph, head, place, reader);
  }
  return behind;
}

async function behindIn(
  topics: readonly string[],
  graph: GraphConfig,
  head: Head,
  { name }: StorePlace,
  reader: EventLog,
): Promise<number> {
  const remedy =
    'Nothing has changed. Make a store of what the topics hold now, and promote that: ' +
    `twhin replay --graph ${graphOf(graph)} --into NAME`;
  refuseRecreated(head.topicIds, await reader.topicIds(topics), () => remedy);
  let behind = 0;
  for (const { topic, partition, low, high } of await reader.ranges(topics)) {
    const from = head.offsets[topic]?.[partition] ?? low;
    behind += high - from;
    if (low <= from && from <= high) continue;
    const what = from < low ? 'retention took the records in between' : 'the topic was deleted and recreated';
    throw new FatalError(
      'offset-out-of-range',
      `${name} has read ${topic}/${partition} up to offset ${from}, but the log holds ${low} to ${high}: ${what}. ${remedy}`,
    );
  }
  return behind;
}

/**
 * Declares the stores the live stores; a running updater swaps to its store within a second. A kill in between leaves some shards on
 * the stores before, and the same promotion finishes it. Gives the store that was live before, by part.
 */
export async function promote({ store, set, candidates }: Promotion): Promise<(string | null)[]> {
  const previous: (string | null)[] = [];
  for (const { plain } of candidates) {
    const before = readLive(plain);
    previous.push((before.live === store ? before : await makeLive(plain, store, set)).previous);
  }
  return previous;
}

/** The store that was live before. @throws FatalError `promotion-mixed` where shards were on different ones. */
export function previousOf(parts: readonly GraphConfig[]): string | undefined {
  const here = parts.length === 1 ? parts : parts.filter(hasLiveStore);
  const lives = here.map((part) => ({ part, ...readLive(part) }));
  const [first] = lives;
  const other = lives.find(({ previous, live }) => previous !== first?.previous || live !== first?.live);
  if (first === undefined || other === undefined) return first?.previous ?? undefined;
  throw new FatalError(
    'promotion-mixed',
    `${first.part.name} runs on ${first.live} and ran on ${first.previous ?? 'none'} before, ${other.part.name} runs on ${other.live} and ran on ` +
      `${other.previous ?? 'none'} before. Name the store that all shards are to run on: twhin promote NAME --graph ${graphOf(first.part)}`,
  );
}
