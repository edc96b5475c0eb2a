import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { LogConnection } from '../adapters/connect.ts';
import { topicsOf } from '../compose/graph-updater.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { reasonOf, TwhinError, UsageError } from '../errors/errors.ts';
import { type Comparison, compareStores } from '../evaluation/compare/compare.ts';
import { type ComparedStore, heldStretches, readHeldRecords } from '../evaluation/compare/held-edges.ts';
import { better, type Quality, type QualityFigures, verdict } from '../evaluation/compare/quality.ts';
import { offsetsOf } from '../graph/head.ts';
import type { SourceRecord } from '../pipeline/ports.ts';
import { readContent } from '../pipeline/reading/record-content.ts';
import { recordsIn } from '../replay/range.ts';
import { isStore, openForReading } from '../state/open.ts';
import { FIRST_STORE, LIVE, livePlace, otherPlaces, placeOf, type StorePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { asOf, count } from './format.ts';
import { durationOption, example, JSON_HELP, positiveInteger } from './options.ts';
import { type Output, printTable } from './output.ts';
import { selectGraphs, tellOfLag } from './select.ts';

const EVENTS = 5_000;
const LOOK_MS = 500;

interface CompareOptions {
  readonly graph?: string;
  readonly events: number;
  readonly wait: number;
  readonly json?: boolean;
}

export function addCompareCommand(command: Command, context: CommandContext): void {
  command
    .description('compare two stores of a graph: which one ranks events better that neither has read?')
    .argument('<a>', 'name of a store, or live')
    .argument('<b>', 'name of a store, or live')
    .option(
      '--graph <name>',
      'the graph, or one of its shards, such as engagement-3; needed only if several have both stores',
    )
    .option(
      '--events <n>',
      'rank at most this many events that neither store has read',
      positiveInteger,
      EVENTS,
    )
    .option('--wait <duration>', 'wait at most this long for these events, such as 30s', durationOption, 0)
    .option('--json', JSON_HELP)
    .addHelpText(
      'after',
      example('twhin compare live shadow --graph engagement\ntwhin compare live shadow --wait 5m --json'),
    )
    .action((a: string, b: string, options: CompareOptions) => compare([a, b], options, context));
}

/** One of the two stores, as of its last commit; its vectors as of its last checkpoint. */
interface Opened extends ComparedStore {
  readonly name: string;
  readonly live: boolean;
}

/** Compares two stores, each as of its last checkpoint; their updaters may be running. */
async function compare(
  names: readonly [string, string],
  options: CompareOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const config = await context.config();
  const graph = choose(config, names, options.graph);
  await using opened = new AsyncDisposableStack();
  const [a, b] = [await open(graph, names[0], opened), await open(graph, names[1], opened)];
  const connection = opened.use(await context.connect(config));
  const held = await heldRecords(config, graph, connection, [a, b], options, context);
  const comparison = await compareStores({ a, b }, held.records, (what, done) =>
    context.progress(`${graph.name}: ${count(done)} ${what}`),
  );
  const report = {
    graph: graph.name,
    a: reportOf(a),
    b: reportOf(b),
    ...comparison,
    held: { ...comparison.held, problem: held.problem },
    better: better(comparison.quality) ?? null,
  };
  if (options.json) output.out(JSON.stringify(report));
  else print(report, output);
  for (const { store, name } of [a, b]) await tellOfLag(store, output, name);
}

/** The named graph, or the one graph that has both stores. @throws UsageError `compare` listing the stores. */
function choose(config: Config, names: readonly string[], wanted: string | undefined): GraphConfig {
  const graphs = selectGraphs(config, wanted === undefined ? [] : [wanted]);
  const found = graphs.filter((graph) => names.every((name) => isStore(placeIn(graph, name))));
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  const asked = [...new Set(names)].join(' and ');
  throw new UsageError(
    first === undefined
      ? `no graph has the stores ${asked}:\n${graphs.map((graph) => `  ${graph.name} has ${storesOf(graph)} in ${graph.folder}\n`).join('')}` +
          'twhin replay --into NAME makes one'
      : `${found.map(({ name }) => name).join(' and ')} have the stores ${asked}; say which graph with --graph`,
  );
}

function placeIn(graph: GraphConfig, name: string): StorePlace {
  return name === LIVE ? livePlace(graph) : placeOf(graph, name);
}

async function open(graph: GraphConfig, name: string, opened: AsyncDisposableStack): Promise<Opened> {
  const place = placeIn(graph, name);
  const store = opened.use(await openForReading(graph, place));
  const head = await store?.head();
  if (store === undefined || head === undefined)
    throw new UsageError(`nothing was committed to the store ${place.name} in ${place.folder} yet`);
  const read = { store, head, index: await store.index(), checkpoint: await store.checkpoint() };
  return { ...read, name: place.name, live: livePlace(graph).name === place.name };
}

/** The stores there are, such as `main (live), shadow`. */
function storesOf(graph: GraphConfig): string {
  const live = livePlace(graph).name;
  const places = [placeOf(graph, FIRST_STORE), ...otherPlaces(graph)];
  const names = places.filter(isStore).map(({ name }) => name);
  return names.map((name) => (name === live ? `${name} (live)` : name)).join(', ') || 'none yet';
}

/** The records after both stores' offsets, the earliest first, once there are enough or time is up. problem: why the log can't be read. */
async function heldRecords(
  config: Config,
  graph: GraphConfig,
  connection: LogConnection,
  stores: readonly Opened[],
  { events, wait }: CompareOptions,
  { ask, progress }: CommandContext,
): Promise<{ readonly records: readonly SourceRecord[]; readonly problem?: string }> {
  const topics = topicsOf(config, graph);
  const read = (record: SourceRecord) => ({ ...record, content: readContent(record, topics, config.limits) });
  const offsets = stores.map(({ head }) => offsetsOf(head.positions));
  const until = performance.now() + wait;
  try {
    await using reader = connection.log();
    for (;;) {
      const ranges = await ask(reader.ranges([...topics.keys()]), `the events at ${connection.describe}`);
      const stretches = heldStretches(ranges, offsets);
      const [there, leftMs] = [recordsIn(stretches), until - performance.now()];
      if (there >= events || leftMs <= 0) {
        progress('reading what was held back');
        return { records: await readHeldRecords(reader, stretches, events, read) };
      }
      progress(
        `waiting for events: ${count(there)} of ${count(events)}, ${Math.ceil(leftMs / 1000)} s to go`,
      );
      await pause(Math.min(LOOK_MS, leftMs));
    }
  } catch (error) {
    if (error instanceof TwhinError && error.code !== 'interrupted')
      return { records: [], problem: reasonOf(error) };
    throw error;
  }
}

function reportOf({ name, live, head, checkpoint }: Opened) {
  const { events, watermark, space, model } = head;
  const offsets = offsetsOf(head.positions);
  const { dim, scorer } = model;
  const { step = 0, at } = checkpoint?.head ?? {};
  return { name, live, step, at, events: events.consumed, watermark, space, dim, scorer, offsets };
}

type Report = Comparison & {
  readonly graph: string;
  readonly a: ReturnType<typeof reportOf>;
  readonly b: ReturnType<typeof reportOf>;
  readonly held: { readonly problem: string | undefined };
};

function print({ graph, a, b, held, models, quality }: Report, output: Output): void {
  const nameOf = ({ name, live }: typeof a) => (live ? `${name} (live)` : name);
  output.out(`${graph}: A is ${nameOf(a)}, B is ${nameOf(b)}`);
  const newest = ({ watermark }: typeof a) => (watermark > 0 ? new Date(watermark).toISOString() : 'none');
  const rows: [string, (store: typeof a) => string][] = [
    ['events read', ({ events }) => count(events)],
    ['newest event', newest],
    ['vectors as of', asOf],
    ['model', ({ dim, scorer }) => `${scorer}, dim ${dim}`],
  ];
  printTable([['', 'A', 'B'], ...rows.map(([label, of]) => [label, of(a), of(b)])], output);
  for (const line of models) output.out(`  the models differ in ${line}; what is common is compared`);
  output.out('');
  if (quality === undefined) output.out(`quality: ${whyNoQuality(held)}`);
  else printQuality(quality, held.records, output);
  output.out('');
  output.out(verdict(quality));
}

function printQuality({ all, relations }: Quality, records: number, output: Output): void {
  output.out(
    `quality on ${count(all.edges)} new edges of ${count(records)} events that neither has read; each end is ranked among others of its type`,
  );
  const figures = ({ a, b, popularity }: QualityFigures) => [
    ...[a.mrr, b.mrr, popularity.mrr, a.hits10, b.hits10].map((share) => share.toFixed(3)),
    ...[a.meanRank, b.meanRank].map((rank) => rank.toFixed(1)),
  ];
  const heads = ['edges', 'MRR A', 'B', 'by popularity', 'hits@10 A', 'B', 'mean rank A', 'B'];
  const rows = Object.entries({ ...relations, all }).map(([name, each]) => [
    name,
    count(each.edges),
    ...figures(each),
  ]);
  printTable([['relation', ...heads], ...rows], output);
}

function whyNoQuality({ records, problem }: Report['held']): string {
  if (problem !== undefined)
    return `not compared, because the events that neither store has read cannot be read: ${problem}`;
  if (records === 0) {
    return (
      'not compared, because there is no event that neither store has read. ' +
      'Replay both with the same --until, which holds later events back, or add --wait 5m while events arrive.'
    );
  }
  return (
    `not compared, because none of the ${count(records)} events that neither store has read makes a new edge between entities ` +
    'of which both stores have vectors. Hold more events back (--until), or read more of them (--events, --wait).'
  );
}
