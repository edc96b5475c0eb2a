import { exchangeName, topicName } from '../../topics/index.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import { differences, type Head, refuseOther } from '../graph/head.ts';
import { graphOf } from '../graph/shard.ts';
import type { EventLog } from '../pipeline/ports.ts';
import { wholeTopics } from '../pipeline/reading/bounded.ts';
import { leftOf } from '../replay/range.ts';
import { isStore, openForWriting, readHead } from '../state/open.ts';
import {
  FIRST_LIVE,
  FIRST_STORE,
  livePlace,
  makeLive,
  placeOf,
  readLive,
  readOrigin,
} from '../state/places.ts';
import { topicsOf } from './graph-updater.ts';

/** What reading the head of a store ends with that no updater can start on: damaged, or of another format. */
const UNUSABLE: ReadonlySet<string> = new Set(['store-open', 'store-read', 'store-damaged', 'store-format']);

type ConfigWith = (set: readonly string[]) => Promise<Config>;

/** Whether a graph or shard has a store of that name that could be made live. */
export function exists(graph: GraphConfig, name: string): boolean {
  return name === FIRST_STORE || readOrigin(placeOf(graph, name)) !== undefined;
}

/** The stores of a name, of a whole graph or of its shards, checked to be fit for its updaters. */
export type Promotion = Awaited<ReturnType<typeof checkPromotion>>;

/**
 * Checks the stores of a name in all parts that have a live store in this state folder or, where none has, in those that have the store.
 * parts: a whole graph, or all of its shards, as the configuration has them.
 * @throws UsageError, FatalError where the stores could not be run. Nothing has changed then.
 */
export async function checkPromotion(parts: readonly GraphConfig[], store: string, configWith: ConfigWith) {
  const live = parts.filter(hasLiveStore);
  const here = live.length > 0 ? live : parts.filter((part) => exists(part, store));
  const [first] = here;
  const lacking = here.find((part) => !exists(part, store));
  if (first === undefined || lacking !== undefined)
    throw mixed(lacking ?? parts[0]!, store, `${lacking?.name} has a live store here and no store ${store}`);
  const { set = [] } = readOrigin(placeOf(first, store)) ?? {};
  const config = await configWith(set);
  const candidates: { part: GraphConfig; head: Head }[] = [];
  for (const part of here) {
    const origin = readOrigin(placeOf(part, store));
    const graph = config.graphs.find(({ name }) => name === part.name) ?? part;
    const head = await headOf(graph, store, origin?.replay?.finished === null);
    if (
      (origin?.set ?? []).join('\n') !== set.join('\n') ||
      head.space !== (candidates[0]?.head ?? head).space
    )
      throw mixed(
        part,
        store,
        `the stores ${store} of ${first.name} and ${part.name} are of different trainings`,
      );
    await refuseOtherProcess(part, store, configWith);
    candidates.push({ part, head });
  }
  // Shards whose live stores are in other state folders.
  const elsewhere = parts.filter((part) => !here.includes(part));
  return { store, config, set, candidates, elsewhere };
}

/** Whether the graph's or shard's live store is in this state folder, or was before it was lost. */
function hasLiveStore(part: GraphConfig): boolean {
  return readLive(part) !== FIRST_LIVE || isStore(livePlace(part));
}

function mixed(part: GraphConfig, store: string, what: string): FatalError {
  return new FatalError(
    'promotion-mixed',
    `${what}, and shards run on stores of one training. Bring those of one replay together, ${placeOf(part, store).folder} among them, or ` +
      `replay again with twhin replay --graph ${graphOf(part)} --into NAME`,
  );
}

/** The head of a store that can be made live. @throws UsageError, FatalError where it cannot. */
async function headOf(graph: GraphConfig, store: string, unfinished: boolean): Promise<Head> {
  if (unfinished) {
    throw new UsageError(
      `the replay into ${store} is not finished: give the same twhin replay command again to go on with it, and promote it then`,
    );
  }
  const place = placeOf(graph, store);
  const head = await readHead(graph, place);
  if (head === undefined)
    throw new FatalError('store-missing', `there is no store ${store} in ${place.folder}`);
  refuseOther(head, graph);
  return head;
}

/**
 * Makes sure that no updater runs that was started with another model than this configuration has: it could not take the store. Its
 * live store tells what it was started with. @throws FatalError `promotion`.
 */
async function refuseOtherProcess(part: GraphConfig, store: string, configWith: ConfigWith): Promise<void> {
  const { set } = readLive(part);
  const place = livePlace(part);
  const head = await readHead(part, place).catch((error: unknown) => {
    // No updater of this version runs on such a store, which is the best reason for a promotion.
    if (error instanceof FatalError && UNUSABLE.has(error.code)) return undefined;
    throw error;
  });
  const now = (await configWith(set)).graphs.find(({ name }) => name === part.name) ?? part;
  const differing = head ? differences(head.model, now.model, ['its live store', 'this configuration']) : [];
  if (differing.length === 0) return;
  try {
    await (await openForWriting(part, { place })).close();
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== 'store-in-use') throw error;
    throw new FatalError(
      'promotion',
      `${store} was not made the live store of ${part.name}, and nothing has changed: the process that runs ${part.name} was started ` +
        `with another model: ${differing.join('; ')}. Stop that process, give the command again, and start the process with the new ` +
        'configuration',
      { cause: error },
    );
  }
}

/** Records left to read, by candidate. @throws FatalError when the log no longer has the next one, or a topic was recreated. */
export async function recordsBehind(
  { config, candidates }: Promotion,
  reader: EventLog,
): Promise<readonly number[]> {
  const behind: number[] = [];
  for (const { part, head } of candidates) {
    const remedy =
      'Nothing has changed. Make a store of what the topics hold now, and promote that: ' +
      `twhin replay --graph ${graphOf(part)} --into NAME`;
    const left = async (topics: readonly string[]) =>
      leftOf(await wholeTopics(reader, topics), head, reader, remedy);
    behind.push(await left([...topicsOf(config, part).keys()]));
    const exchange = topicName(config.topicPrefix, exchangeName(graphOf(part)));
    if (head.positions[exchange] !== undefined) await left([exchange]);
  }
  return behind;
}

/**
 * Declares the stores the live stores; a running updater swaps to its store within a second. A kill in between leaves some shards on
 * the stores before, and the same promotion finishes it. Gives the store that was live before, by part.
 */
export async function promote({ store, set, candidates }: Promotion): Promise<(string | null)[]> {
  const previous: (string | null)[] = [];
  for (const { part } of candidates) {
    const before = readLive(part);
    previous.push((before.live === store ? before : await makeLive(part, store, set)).previous);
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
