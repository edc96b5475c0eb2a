import type { Command } from 'commander';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { checkLog, checkStore, type HeldRange } from '../graph/check/check.ts';
import { FINDINGS, type Finding } from '../graph/check/findings.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
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
  /** What is wrong. */
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
    .option('--offsets', 'also compare the offsets with what the log holds')
    .option('--json', JSON_HELP)
    .addHelpText('after', example('twhin check --graph engagement --offsets'))
    .action(async ({ graph, store, offsets, json }) => {
      const config = await context.config();
      const checked: Record<string, Checked> = {};
      const graphs = selectGraphs(config, graph);
      if (store === undefined) refuseNoStore(graphs, config.state);
      for (const each of graphs) {
        const place = store === undefined ? livePlace(each) : placeOf(each, store);
        const found = await check(each, place, offsets === true, config, context);
        if (found === undefined && store !== undefined) throw noStore(place);
        checked[each.name] = found ?? { ...nothing(place), store: null };
        if (json !== true) print(each, place, found, context.output);
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
  offsets: boolean,
  config: Config,
  context: CommandContext,
): Promise<Checked | undefined> {
  const { output, progress } = context;
  let store: GraphStore | undefined;
  try {
    store = await openForReading(graph, place);
    if (store === undefined) return undefined;
    const report = await checkStore(store, (entries) =>
      progress(`${place.graph}: ${count(entries)} entries checked`),
    );
    const { head, removed } = report;
    const atLog = offsets && head ? checkLog(head, await heldRanges(head, config, context)) : [];
    const findings = [...report.findings, ...atLog];
    const [entities, edges] = [total(report.entities), total(report.edges)];
    return { store: place.name, ok: findings.length === 0, entities, edges, removed, findings };
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

function nothing({ name }: StorePlace): Checked {
  return { store: name, ok: true, entities: 0, edges: 0, removed: 0, findings: [] };
}

function print(graph: GraphConfig, place: StorePlace, found: Checked | undefined, output: Output): void {
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
  for (const { kind, count: times, samples } of found.findings) {
    output.out(`  WRONG    ${kind} ${count(times)}: ${FINDINGS[kind]}`);
    for (const sample of samples) output.out(`             ${sample}`);
  }
  if (found.ok) output.out('  all is well');
  else output.out(`  ${whatNext(graph, found.findings)}`);
}

function whatNext({ name: graph, folder, shard }: GraphConfig, findings: readonly Finding[]): string {
  if (findings.every(({ kind }) => kind === 'offset-gone' || kind === 'offset-beyond')) {
    return `the store itself is well: twhin run --graph ${graph} --reread TOPIC reads such a topic from its start`;
  }
  return shard
    ? `stop the shard, move ${folder} away, and make the store again with twhin restore DIR --graph ${graph}`
    : `make the store again with twhin restore DIR --graph ${graph} --into NAME or ` +
        `twhin replay --graph ${graph} --into NAME, then twhin promote NAME --graph ${graph}`;
}

function noStore({ graph, name, folder }: StorePlace): FatalError {
  return new FatalError('store-missing', `${graph} has no store ${name}: there is none in ${folder}`);
}
