import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { fullName } from '../../../topics/index.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { temporaryFolder } from '../../adapters/leftovers.ts';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { wholeGraphs } from '../../config/whole-graphs.ts';
import { reasonOf, TwhinError, UsageError } from '../../errors/errors.ts';
import { compareStores } from '../../evaluation/compare/compare.ts';
import type { ComparedStore } from '../../evaluation/compare/compared-stores.ts';
import { heldStretches, readHeldRecords } from '../../evaluation/compare/held-edges.ts';
import { better } from '../../evaluation/compare/quality.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { graphOf } from '../../graph/shard.ts';
import type { Offsets, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import { recordsIn } from '../../replay/partition.ts';
import { databaseFolder, openForReading } from '../../state/open.ts';
import { FIRST_STORE, LIVE, livePlace, otherPlaces, placeOf } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { durationOption, example, JSON_HELP, positiveInteger } from '../options.ts';
import { selectParts } from '../select.ts';
import { type ComparedStoreReport, type CompareReport, printComparison } from './compare-report.ts';
import { JoinedStore, type OpenStores } from './joined-store.ts';

const EVENTS = 5_000;
const SAMPLE = 10_000;
/** A fixed seed: the same stores give the same figures each time. */
const SEED = 1;
const LOOK_MS = 500;

interface ReplayCompareOptions {
  readonly graph?: string;
  readonly events: number;
  readonly wait: number;
  readonly sample: number;
  readonly json?: boolean;
}

/** Puts `twhin replay compare` on the command line. */
export function addReplayCompareCommand(replay: Command, context: CommandContext): void {
  replay
    .command('compare')
    .description('compare two stores of a graph: is B better, and how different are its vectors?')
    .argument('<a>', 'name of a store, or live')
    .argument('<b>', 'name of a store, or live')
    .option('--graph <name>', 'the graph; needed only if several graphs have both stores')
    .option(
      '--events <n>',
      'rank at most this many events that neither store has read',
      positiveInteger,
      EVENTS,
    )
    .option('--wait <duration>', 'wait at most this long for these events, such as 30s', durationOption, 0)
    .option(
      '--sample <n>',
      'compare the vectors of at most this many entities of a type',
      positiveInteger,
      SAMPLE,
    )
    .option('--json', JSON_HELP)
    .addHelpText('after', SHARDS)
    .addHelpText(
      'after',
      example(
        'twhin replay compare live shadow --graph engagement\ntwhin replay compare live shadow --graph engagement --wait 5m --json',
      ),
    )
    // commander gives --graph and --json to replay, which has the same options, so the action reads the options of both.
    .action((a: string, b: string, _: ReplayCompareOptions, command: Command) =>
      replayCompare([a, b], command.optsWithGlobals<ReplayCompareOptions>(), context),
    );
}

const SHARDS = `
The stores of all shards of a graph are joined into one before they are compared, in the folder for temporary files.`;

/** Compares two stores, each as of its last commit; their updaters may be running. */
async function replayCompare(
  names: readonly [string, string],
  options: ReplayCompareOptions,
  context: CommandContext,
): Promise<void> {
  const config = await context.config();
  await using held = new AsyncDisposableStack();
  const { graph, opened } = await openBoth(config, names, options.graph, context.world.openStore, held);
  if (opened[0].stores.length === 1) {
    await compare(config, graph, [wholeOf(opened[0]), wholeOf(opened[1])], options, context);
    return;
  }
  await using folder = temporaryFolder();
  await using copies = new AsyncDisposableStack();
  const joined: ComparedOne[] = [];
  for (const [i, each] of opened.entries()) {
    const tell = (what: string, done: number) =>
      context.progress(`${graph.name}: ${count(done)} ${what} of ${each.name} read`);
    const copy = join(folder.path, String(i));
    const { store, head } = await JoinedStore.make(graph.name, config, each, copy, tell);
    joined.push({ ...each, store: copies.use(store), head });
  }
  await compare(config, graph, [joined[0]!, joined[1]!], options, context);
}

async function compare(
  config: Config,
  graph: GraphConfig,
  [a, b]: readonly [ComparedOne, ComparedOne],
  options: ReplayCompareOptions,
  context: CommandContext,
): Promise<void> {
  const { output, progress } = context;
  await using connection = await context.connect(config);
  // Of shards, what any of them has read is nothing that was held back.
  const offsets = [...a.heads, ...b.heads].map((head) => head.offsets);
  const held = await heldRecords(
    config,
    graph,
    connection,
    offsets,
    { events: options.events, waitMs: options.wait },
    context,
  );
  const comparison = await compareStores({
    a,
    b,
    records: held.records,
    sample: options.sample,
    seed: SEED,
    onProgress: (what, done) => progress(`${graph.name}: ${count(done)} ${what}`),
  });
  output.statusDone();
  const report: CompareReport = {
    graph: graph.name,
    a: reportOf(a),
    b: reportOf(b),
    ...comparison,
    held: { ...comparison.held, ...(held.problem !== undefined && { problem: held.problem }) },
    better: better(comparison.quality) ?? null,
  };
  if (options.json) output.out(JSON.stringify(report));
  else printComparison(report, output);
}

/** A graph's store of a name, or those of all its shards. */
interface OpenedStores extends OpenStores {
  readonly name: string;
  readonly live: boolean;
}

/** The same as one store. */
interface ComparedOne extends OpenedStores, ComparedStore {}

function wholeOf(opened: OpenedStores): ComparedOne {
  return { ...opened, store: opened.stores[0]!, head: opened.heads[0]! };
}

type Both = readonly [OpenedStores, OpenedStores];

/** Opens both stores of the named graph, or of the one graph that has both, into `held`. @throws UsageError. */
async function openBoth(
  config: Config,
  names: readonly [string, string],
  graphName: string | undefined,
  openStore: CommandContext['world']['openStore'],
  held: AsyncDisposableStack,
): Promise<{ graph: GraphConfig; opened: Both }> {
  const graphs =
    graphName === undefined
      ? [...Map.groupBy(config.graphs, graphOf).values()]
      : [selectParts(config, graphName)];
  const found: { graph: GraphConfig; opened: Both }[] = [];
  const lacking: string[] = [];
  for (const parts of graphs) {
    const a = await open(parts, names[0], openStore, held);
    const b = await open(parts, names[1], openStore, held);
    if (a && b) found.push({ graph: wholeGraphs(parts)[0]!, opened: [a, b] });
    else for (const part of parts) lacking.push(`  ${part.name} has ${storesOf(part)} in ${part.folder}`);
  }
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  const asked = [...new Set(names)].join(' and ');
  throw new UsageError(
    first === undefined
      ? `no graph has the stores ${asked}:\n${lacking.join('\n')}\ntwhin replay --into NAME makes one`
      : `${found.map(({ graph }) => graph.name).join(' and ')} have the stores ${asked}; say which graph with --graph`,
  );
}

/** undefined where a part has no such store with a commit. */
async function open(
  parts: readonly GraphConfig[],
  name: string,
  openStore: CommandContext['world']['openStore'],
  held: AsyncDisposableStack,
): Promise<OpenedStores | undefined> {
  const [stores, heads]: [GraphStore[], Head[]] = [[], []];
  const places = parts.map((part) => (name === LIVE ? livePlace(part) : placeOf(part, name)));
  for (const [i, part] of parts.entries()) {
    const store = await openForReading(part, places[i]!, openStore);
    if (store !== undefined) stores.push(held.use(store));
    const head = await store?.head();
    if (head !== undefined) heads.push(head);
  }
  if (heads.length < parts.length) return undefined;
  const live = parts.every((part, i) => livePlace(part).name === places[i]!.name);
  return { stores, heads, name: [...new Set(places.map((place) => place.name))].join(' and '), live };
}

/** The stores with at least one commit, such as `main (live), shadow`. */
function storesOf(graph: GraphConfig): string {
  const live = livePlace(graph).name;
  const places = [placeOf(graph, FIRST_STORE), ...otherPlaces(graph)];
  const names = places.filter((place) => existsSync(databaseFolder(place))).map(({ name }) => name);
  return names.map((name) => (name === live ? `${name} (live)` : name)).join(', ') || 'none yet';
}

function reportOf({ name, live, head }: ComparedOne): ComparedStoreReport {
  const { step, events, watermark, space, offsets, model } = head;
  return {
    name,
    live,
    step,
    events: events.consumed,
    watermark,
    space,
    dim: model.dim,
    scorer: model.scorer,
    offsets,
  };
}

/** Records that neither store has read. */
interface HeldRecords {
  readonly records: readonly SourceRecord[];
  /** Why the log could not be read; then there are no records. */
  readonly problem?: string;
}

interface HeldOptions {
  readonly events: number;
  /** How long to wait for that many events; 0: use the events that are there. */
  readonly waitMs: number;
}

/**
 * Reads the records after the offsets of both stores, the earliest first. A log that cannot be read is not a failure:
 * the rest of the comparison works without it.
 */
async function heldRecords(
  config: Config,
  graph: GraphConfig,
  connection: LogConnection,
  offsets: readonly Offsets[],
  options: HeldOptions,
  { ask, progress }: CommandContext,
): Promise<HeldRecords> {
  const topics = new Map(graph.topics.map((topic) => [fullName(config.topicPrefix, topic), topic]));
  const read = (record: SourceRecord) => ({ ...record, content: readContent(record, topics, config.limits) });
  const where = `the events at ${connection.describe}`;
  try {
    await using reader = connection.log();
    const look = async () => heldStretches(await ask(reader.ranges([...topics.keys()]), where), offsets);
    const stretches = await waitFor(look, options, progress);
    progress('reading what was held back');
    return { records: await readHeldRecords(reader, stretches, options.events, read) };
  } catch (error) {
    if (error instanceof TwhinError && error.code !== 'interrupted')
      return { records: [], problem: reasonOf(error) };
    throw error;
  }
}

/** Waits until there are enough records or the time is over. */
async function waitFor(
  look: () => Promise<Stretch[]>,
  { events, waitMs }: HeldOptions,
  progress: CommandContext['progress'],
): Promise<Stretch[]> {
  const until = performance.now() + waitMs;
  for (;;) {
    const stretches = await look();
    const there = recordsIn(stretches);
    const leftMs = until - performance.now();
    if (there >= events || leftMs <= 0) return stretches;
    progress(`waiting for events: ${count(there)} of ${count(events)}, ${Math.ceil(leftMs / 1000)} s to go`);
    await pause(Math.min(LOOK_MS, leftMs));
  }
}
