import { topicName } from '../../../topics/index.ts';
import type { ReplayPaceOptions } from '../../compose/pace.ts';
import { declaredTopics } from '../../config/declared-topics.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors.ts';
import { type Bound, readBound } from '../../replay/bound.ts';
import { FIRST_STORE, placeOf, readLive, type StorePlace } from '../../state/places.ts';
import { pendingPromotion } from '../../state/promotion.ts';
import type { Surroundings } from '../surroundings.ts';
import { differencesOf, type SettingDifference, type Settings, settingsOf } from './settings.ts';

/** The command line's options, as typed. */
export interface ReplayOptions extends ReplayPaceOptions {
  readonly graph?: string;
  readonly from: string;
  readonly until: string;
  readonly into?: string;
  readonly publish?: string;
  readonly set: readonly string[];
  readonly restart?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** A replay as asked, checked as far as it can be without the log. */
export interface ReplayRequest {
  readonly config: Config;
  /** With the settings asked for. */
  readonly graph: GraphConfig;
  /** Full names of the topics it reads. */
  readonly topics: readonly string[];
  /** Absent for a dry run that names none. */
  readonly place: StorePlace | undefined;
  readonly from: Bound;
  readonly until: Bound;
  readonly publish: string | undefined;
  /** Over the configuration file: the live store's, then those asked for. */
  readonly set: readonly string[];
  readonly settings: Settings;
  /** From the live graph's settings to the replay's. */
  readonly differences: readonly SettingDifference[];
  readonly options: ReplayOptions;
}

/** Where a replay reads and writes is where the live graph does: these settings are not its to change. */
export const PLACES = /^(state|topicPrefix|kafka)\b/;
/** What Kafka takes as a topic's name, other than those it keeps for itself. */
const TOPIC = /^(?!__)[a-zA-Z0-9._-]{1,249}$/;

/** @throws UsageError with every problem, a line each. */
export async function readRequest(
  options: ReplayOptions,
  { config: load }: Surroundings,
): Promise<ReplayRequest> {
  const problems: string[] = [];
  const plain = await load();
  const live = plain.graphs.find(({ name }) => name === options.graph);
  if (live === undefined) {
    const known = plain.graphs.map(({ name }) => name).join(', ');
    throw new UsageError('graph', `--graph: expected one of ${known}; seen ${shown(options.graph)}`);
  }
  const liveSet = readLive(live).set;
  const set = [...liveSet, ...options.set];
  for (const each of options.set.filter((setting) => PLACES.test(setting))) {
    problems.push(`--set: a replay reads and writes where the live graph does; seen ${shown(each)}`);
  }
  const before = await load(liveSet);
  const config = await noting(problems, () => load(set));
  const graph = config?.graphs.find(({ name }) => name === live.name);
  const place = await noting(problems, async () => readPlace(live, options));
  const topics = live.topics.map(({ name }) => topicName(plain.topicPrefix, name));
  const reading = { nowMs: Date.now(), topics, prefix: plain.topicPrefix };
  const from = readBound('--from', options.from, reading, problems);
  const until = readBound('--until', options.until, reading, problems);
  if (from?.kind === 'time' && until?.kind === 'time' && until.timeMs <= from.timeMs) {
    problems.push(
      `--until: expected a time after that of --from; seen ${options.until}, from ${options.from}`,
    );
  }
  checkPublish(options.publish, plain, problems);
  if (problems.length > 0 || !config || !graph || !from || !until) {
    throw new UsageError(
      'replay',
      `the replay can't be done as asked; nothing was started:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
  const liveGraph = before.graphs.find(({ name }) => name === live.name) ?? live;
  const settings = settingsOf(config, graph);
  return {
    ...{ config, graph, topics, place, from, until, publish: options.publish, set, settings, options },
    differences: differencesOf(settingsOf(before, liveGraph), settings),
  };
}

/** undefined: what it threw for wrong usage is among the problems. */
async function noting<T>(problems: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function readPlace(graph: GraphConfig, { into, dryRun }: ReplayOptions): StorePlace | undefined {
  if (into === undefined) {
    if (dryRun === true) return undefined;
    throw new UsageError(
      'into',
      "--into: expected a name for the replay's store, such as shadow; seen nothing",
    );
  }
  const place = placeOf(graph, into);
  const { live, previous } = readLive(graph);
  const what = [
    [live, 'the live store'],
    [previous, 'the previous live store'],
    [pendingPromotion(graph)?.store, 'about to be the live store'],
    [FIRST_STORE, 'the first store'],
  ].find(([name]) => name === into)?.[1];
  if (what === undefined) return place;
  throw new UsageError(
    'into',
    `--into: ${into} is ${what} of ${graph.name}; a replay is written beside it, under another name`,
  );
}

function checkPublish(publish: string | undefined, config: Config, problems: string[]): void {
  if (publish === undefined) return;
  const declared = declaredTopics(config).map(({ name }) => name);
  const taken = [publish, `${config.topicPrefix}${publish}`].find((name) => declared.includes(name));
  if (taken !== undefined) {
    problems.push(`--publish: ${taken} is the live graphs'; name a topic of the replay's own`);
  } else if (!TOPIC.test(publish)) {
    problems.push(
      `--publish: expected a topic's name of letters, digits, dots, _ and -; seen ${shown(publish)}`,
    );
  }
}

function shown(value: string | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
