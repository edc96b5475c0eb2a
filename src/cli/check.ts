import type { Command } from 'commander';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { checkStore } from '../graph/check/check.ts';
import { FINDINGS, type Finding } from '../graph/check/findings.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import { livePlace, placeOf, type StorePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { NO_STORE_YET, storeTitle, tell } from './output.ts';
import { selectGraphs } from './select.ts';

/** What was found in one store. */
interface Checked {
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

const NOTHING = { entities: 0, edges: 0, removed: 0, findings: [] };
/** Codes for files that are damaged or lost. */
const DAMAGE = new Set(['store-open', 'store-read', 'store-damaged']);

/** Puts `twhin check` on the command line. */
export function addCheckCommand(program: Command, context: CommandContext): void {
  program
    .command('check')
    .description('read the whole store and report all damage; an updater may be running')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--store <name>', 'the store of that name instead of the live store')
    .option('--json', JSON_HELP)
    .addHelpText('after', example('twhin check --graph engagement'))
    .action(async ({ graph, store, json }) => {
      const { output } = context;
      const config = await context.config();
      const checked: Record<string, Checked> = {};
      const graphs = selectGraphs(config, graph);
      if (store === undefined) refuseNoStore(graphs, config.state);
      for (const each of graphs) {
        const place = store === undefined ? livePlace(each) : placeOf(each, store);
        const found = await check(each, place, context);
        output.statusDone();
        if (found.store === null && store !== undefined)
          throw new FatalError(
            'store-missing',
            `${each.name} has no store ${store}: there is none in ${place.folder}`,
          );
        checked[each.name] = found;
        if (json !== true) tell(output, storeTitle(place), linesOf(each, found));
      }
      const ok = Object.values(checked).every((each) => each.ok);
      if (json === true) output.out(JSON.stringify({ ok, graphs: checked }));
      if (!ok) context.fail();
    });
}

async function check(graph: GraphConfig, place: StorePlace, { progress }: CommandContext): Promise<Checked> {
  try {
    await using store = await openForReading(graph, place);
    if (store === undefined) return { store: null, ok: true, ...NOTHING };
    const { entities, edges, removed, findings } = await checkStore(store, (entries) =>
      progress(`${place.graph}: ${count(entries)} entries checked`),
    );
    const found = { entities: total(entities), edges: total(edges), removed, findings };
    return { store: place.name, ok: findings.length === 0, ...found };
  } catch (error) {
    if (!(error instanceof FatalError) || !DAMAGE.has(error.code)) throw error;
    return { store: place.name, ok: false, ...NOTHING, damage: error.message };
  }
}

function linesOf({ name: graph, folder, shard }: GraphConfig, found: Checked): string[] {
  if (found.store === null) return [NO_STORE_YET];
  if (found.damage !== undefined) return [`DAMAGED  ${found.damage}`];
  const again = shard
    ? `stop the shard, move ${folder} away, and make the store again with twhin restore DIR --graph ${graph}`
    : `make the store again with twhin restore DIR --graph ${graph} --into NAME or ` +
      `twhin replay --graph ${graph} --into NAME, then twhin promote NAME --graph ${graph}`;
  return [
    `${count(found.entities)} entities, ${count(found.edges)} live edges, ${count(found.removed)} removed`,
    ...found.findings.flatMap(({ kind, count: times, samples }) => [
      `WRONG    ${kind} ${count(times)}: ${FINDINGS[kind]}`,
      ...samples.map((sample) => `           ${sample}`),
    ]),
    found.ok ? 'all is well' : again,
  ];
}
