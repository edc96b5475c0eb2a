import type { Command } from 'commander';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { type CheckReport, checkLog, checkStore, type HeldRange } from '../graph/check/check.ts';
import { FINDINGS, type Finding } from '../graph/check/findings.ts';
import { type Mended, repairStore } from '../graph/check/repair.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { openForReading, openForWriting, refuseNoStore } from '../state/open.ts';
import { livePlace, placeOf, type StorePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import type { Output } from './output.ts';
import { selectGraphs } from './select.ts';

/** What was found in one store. */
export interface Checked {
  /** null: there is no store yet. */
  readonly store: string | null;
  readonly ok: boolean;
  readonly entities: number;
  readonly edges: number;
  readonly removed: number;
  readonly mended: readonly Mended[];
  /** What is still wrong. */
  readonly findings: readonly Finding[];
  /** Why the store could not be read to its end. */
  readonly damage?: string;
}

/** Puts `twhin check` on the command line. */
export function addCheckCommand(program: Command, context: CommandContext): void {
  program
    .command('check')
    .description('read the whole store and report all damage; an updater may be running')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--store <name>', 'the store of that name instead of the live store')
    .option('--repair', 'repair what the rest of the store determines; no updater may be running')
    .option('--offsets', 'also compare the offsets with what the log holds')
    .option('--json', JSON_HELP)
    .addHelpText('after', example('twhin check --graph engagement --offsets\ntwhin check --repair'))
    .action(async ({ graph, store, repair, offsets, json }) => {
      const config = await context.config();
      const checked: Record<string, Checked> = {};
      const graphs = selectGraphs(config, graph);
      if (store === undefined) refuseNoStore(graphs, config.state);
      for (const each of graphs) {
        const place = store === undefined ? livePlace(each) : placeOf(each, store);
        const options = { repair: repair === true, offsets: offsets === true };
        const found = await check(each, place, options, config, context);
        if (found === undefined && store !== undefined) throw noStore(place);
        checked[each.name] = found ?? { ...nothing(place), store: null };
        if (json !== true) print(each, place, found, repair === true, context.output);
      }
      const ok = Object.values(checked).every((each) => each.ok);
      if (json === true) context.output.out(JSON.stringify({ ok, graphs: checked }));
      if (!ok) context.fail();
    });
}

/** undefined: there is no store. */
async function check(
  graph: GraphConfig,
  place: StorePlace,
  options: { readonly repair: boolean; readonly offsets: boolean },
  config: Config,
  context: CommandContext,
): Promise<Checked | undefined> {
  const { output, progress } = context;
  let store: GraphStore | undefined;
  try {
    store = await openForReading(graph, place);
    if (store === undefined) return undefined;
    const atLog = async ({ head }: CheckReport) =>
      options.offsets && head ? checkLog(head, await heldRanges(head, config, context)) : [];
    if (!options.repair) {
      const report = await checked(store, place, progress);
      return summary(place, report, [], await atLog(report));
    }
    // The model of the store is in its head; the configured model may differ.
    const head = await store.head();
    await store.close();
    store = await openForWriting({ ...graph, model: head?.model ?? graph.model }, { place });
    const before = await checked(store, place, progress);
    progress(`${place.graph}: mending`);
    const mended = await repairStore(store, before);
    const after = mended.length > 0 ? await checked(store, place, progress) : before;
    return summary(place, after, mended, await atLog(after));
  } catch (error) {
    if (!(error instanceof FatalError) || !DAMAGE.has(error.code)) throw error;
    return { ...nothing(place), ok: false, damage: error.message };
  } finally {
    output.statusDone();
    await store?.close();
  }
}

/** Codes for files that are damaged or lost. */
const DAMAGE = new Set(['store-open', 'store-read', 'store-damaged']);

function checked(
  store: GraphStore,
  place: StorePlace,
  progress: CommandContext['progress'],
): Promise<CheckReport> {
  return checkStore(store, (entries) => progress(`${place.graph}: ${count(entries)} entries checked`));
}

/** The offsets that the log holds, for the topics that the store has read. */
async function heldRanges(
  head: Head,
  config: Config,
  { ask, connect }: CommandContext,
): Promise<HeldRange[]> {
  await using connection = await connect(config);
  await using reader = connection.log();
  const ranges = reader.ranges(Object.keys(head.offsets));
  return await ask(ranges, `offsets at ${connection.describe}`);
}

function summary(
  place: StorePlace,
  report: CheckReport,
  mended: readonly Mended[],
  atLog: readonly Finding[],
): Checked {
  const { removed } = report;
  const findings = [...report.findings, ...atLog];
  const [entities, edges] = [total(report.entities), total(report.edges)];
  return { store: place.name, ok: findings.length === 0, entities, edges, removed, mended, findings };
}

function nothing({ name }: StorePlace): Checked {
  return { store: name, ok: true, entities: 0, edges: 0, removed: 0, mended: [], findings: [] };
}

function print(
  graph: GraphConfig,
  place: StorePlace,
  found: Checked | undefined,
  repair: boolean,
  output: Output,
): void {
  const title = `${place.graph}  (${place.name} in ${place.folder})`;
  if (found === undefined) {
    output.out(`${title}\n  no store yet; twhin run makes it`);
    return;
  }
  output.out(title);
  if (found.damage !== undefined) {
    output.out(`  DAMAGED  ${found.damage}`);
    return;
  }
  output.out(
    `  ${count(found.entities)} entities, ${count(found.edges)} live edges, ${count(found.removed)} removed`,
  );
  for (const { kind, count: times, did } of found.mended)
    output.out(`  mended   ${kind} ${count(times)}: ${did}`);
  for (const { kind, count: times, samples } of found.findings) {
    output.out(`  WRONG    ${kind} ${count(times)}: ${FINDINGS[kind]}`);
    for (const sample of samples) output.out(`             ${sample}`);
  }
  if (found.ok) output.out('  all is well');
  else output.out(`  ${whatNext(graph, found.findings, repair)}`);
}

function whatNext(
  { name: graph, folder, shard }: GraphConfig,
  findings: readonly Finding[],
  repaired: boolean,
): string {
  if (findings.every(({ kind }) => kind === 'offset-gone' || kind === 'offset-beyond')) {
    return `the store itself is well: twhin run --graph ${graph} --reread TOPIC reads such a topic from its start`;
  }
  const again = shard
    ? `stop the shard, move ${folder} away, and make the store again with twhin restore DIR --graph ${graph}`
    : `make the store again with twhin restore DIR --graph ${graph} --into NAME or ` +
      `twhin replay --graph ${graph} --into NAME, then twhin replay promote NAME --graph ${graph}`;
  if (repaired) return `this can't be mended: ${again}`;
  return `twhin check --graph ${graph} --repair, with no updater running, mends what it can; for the rest ${again}`;
}

function noStore({ graph, name, folder }: StorePlace): FatalError {
  return new FatalError('store-missing', `${graph} has no store ${name}: there is none in ${folder}`);
}
