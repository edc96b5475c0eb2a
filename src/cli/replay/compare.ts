import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import type { Config, GraphConfig } from '../../config/resolve.ts';
import { UsageError } from '../../errors.ts';
import { durationMs } from '../../replay/bound.ts';
import { compareStores } from '../../replay/compare/compare.ts';
import type { ComparedStore } from '../../replay/compare/compared-stores.ts';
import { better } from '../../replay/compare/quality.ts';
import { databaseFolder, openForReading } from '../../state/open.ts';
import { FIRST_STORE, LIVE, livePlace, otherPlaces, placeOf } from '../../state/places.ts';
import { count } from '../progress-line.ts';
import { selectGraphs } from '../select-graphs.ts';
import { example, positiveInteger, type Surroundings } from '../surroundings.ts';
import { heldRecords } from './compare-held.ts';
import { type ComparedStoreReport, type CompareReport, printComparison } from './compare-report.ts';

const EVENTS = 5_000;
const SAMPLE = 10_000;
/** Figures don't depend on the day they are taken. */
const SEED = 1;

export interface ReplayCompareOptions {
  readonly graph?: string;
  readonly events: number;
  readonly wait: number;
  readonly sample: number;
  readonly json?: boolean;
}

/** Puts `twhin replay compare` on the command line. */
export function addReplayCompareCommand(replay: Command, surroundings: Surroundings): void {
  replay
    .command('compare')
    .description('two stores of a graph side by side: is B better, and how different is it?')
    .argument('<a>', "a store's name, or live")
    .argument('<b>', "a store's name, or live")
    .option('--graph <name>', 'the graph; may be left out where only one has both')
    .option('--events <n>', 'events held back from both to rank, at most', positiveInteger, EVENTS)
    .option('--wait <duration>', 'wait for so many to come, such as 30s, at most', duration, 0)
    .option('--sample <n>', 'entities of a type whose vectors are compared, at most', positiveInteger, SAMPLE)
    .option('--json', 'one JSON object on stdout')
    .addHelpText(
      'after',
      example(
        'twhin replay compare live shadow --graph engagement\ntwhin replay compare live shadow --graph engagement --wait 5m --json',
      ),
    )
    // replay's own --graph and --json are taken for its when they follow the subcommand's name.
    .action((a: string, b: string, _: ReplayCompareOptions, command: Command) =>
      replayCompare([a, b], command.optsWithGlobals<ReplayCompareOptions>(), surroundings),
    );
}

/** Compares two stores beside whoever writes them, each as of its last commit. */
export async function replayCompare(
  names: readonly [string, string],
  options: ReplayCompareOptions,
  { config: load, log, output, world }: Surroundings,
): Promise<void> {
  const config = await load();
  const { graph, opened } = await openBoth(config, names, options.graph, world.openStore);
  const connection = await world.connect(config.kafka, (level, message) => log()[level]({}, message));
  try {
    const [a, b] = opened;
    const offsets = [a.head.offsets, b.head.offsets];
    const held = await heldRecords(
      config,
      graph,
      connection,
      offsets,
      { events: options.events, waitMs: options.wait },
      output,
    );
    const comparison = await compareStores({
      ...{ a, b, records: held.records, sample: options.sample, seed: SEED },
      onProgress: (what, done) => output.status(`${graph.name}: ${count(done)} ${what}`),
    });
    output.statusDone();
    const report: CompareReport = {
      ...{ graph: graph.name, a: reportOf(a), b: reportOf(b) },
      ...comparison,
      held: { ...comparison.held, ...(held.problem !== undefined && { problem: held.problem }) },
      better: better(comparison.quality) ?? null,
    };
    if (options.json) output.out(JSON.stringify(report));
    else printComparison(report, output);
  } finally {
    for (const { store } of opened) await store.close();
    await connection.close();
  }
}

interface OpenedStore extends ComparedStore {
  readonly name: string;
  readonly live: boolean;
}

/** Opens both stores in the graph named, or in the one graph that has both. @throws UsageError. */
async function openBoth(
  config: Config,
  names: readonly [string, string],
  graphName: string | undefined,
  openStore: Surroundings['world']['openStore'],
): Promise<{ graph: GraphConfig; opened: readonly [OpenedStore, OpenedStore] }> {
  const found: { graph: GraphConfig; opened: readonly [OpenedStore, OpenedStore] }[] = [];
  const lacking: string[] = [];
  try {
    for (const graph of selectGraphs(config, graphName === undefined ? [] : [graphName])) {
      const a = await open(graph, names[0], openStore);
      const b = await open(graph, names[1], openStore);
      if (a && b) found.push({ graph, opened: [a, b] });
      else {
        await (a ?? b)?.store.close();
        lacking.push(`  ${graph.name} has ${storesOf(graph)}`);
      }
    }
    const [first, ...others] = found;
    if (first !== undefined && others.length === 0) return first;
    const asked = [...new Set(names)].join(' and ');
    throw new UsageError(
      'compare',
      first === undefined
        ? `no graph has the stores ${asked}:\n${lacking.join('\n')}\ntwhin replay --into NAME makes one`
        : `${found.map(({ graph }) => graph.name).join(' and ')} have the stores ${asked}; say which graph with --graph`,
    );
  } catch (error) {
    for (const { opened } of found) for (const { store } of opened) await store.close();
    throw error;
  }
}

async function open(
  graph: GraphConfig,
  name: string,
  openStore: Surroundings['world']['openStore'],
): Promise<OpenedStore | undefined> {
  const place = name === LIVE ? livePlace(graph) : placeOf(graph, name);
  const store = await openForReading(graph, place, openStore);
  const head = await store?.head();
  if (store && head) return { store, head, name: place.name, live: place.name === livePlace(graph).name };
  await store?.close();
  return undefined;
}

/** `main (live), shadow`: those that something was written to. */
function storesOf(graph: GraphConfig): string {
  const live = livePlace(graph).name;
  const places = [placeOf(graph, FIRST_STORE), ...otherPlaces(graph)];
  const names = places.filter((place) => existsSync(databaseFolder(place))).map(({ name }) => name);
  return names.map((name) => (name === live ? `${name} (live)` : name)).join(', ') || 'none yet';
}

function reportOf({ name, live, head }: OpenedStore): ComparedStoreReport {
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

function duration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 30s, 5m or 2h');
  return ms;
}
