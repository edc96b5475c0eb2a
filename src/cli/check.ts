import type { Command } from 'commander';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, MAKE_AGAIN } from '../errors/errors.ts';
import { checkStore } from '../graph/check/check.ts';
import { FINDINGS } from '../graph/check/findings.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { storeTitle, tell } from './output.ts';
import { type ChosenStore, openChosen, selectStores } from './select.ts';

type Checked = Awaited<ReturnType<typeof check>>;

const NOTHING = { entities: 0, edges: 0, removed: 0, findings: [] };
/** Codes for files that are damaged or lost. */
const DAMAGE = new Set(['store-open', 'store-read', 'store-damaged']);

export function addCheckCommand(command: Command, context: CommandContext): void {
  command
    .description('read the whole store and report all damage; an updater may be running')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--store <name>', 'the store of that name instead of the live store')
    .option('--json', JSON_HELP)
    .addHelpText('after', example('twhin check --graph engagement'))
    .action(async ({ graph, store, json }) => {
      const { config, output, progress } = context;
      const checked: Record<string, Checked> = {};
      for (const each of selectStores(await config(), output, graph, store)) {
        const found = await check(each, progress);
        checked[each.graph.name] = found;
        if (!json) tell(output, storeTitle(each.place), linesOf(each.graph, found));
      }
      const ok = Object.values(checked).every((each) => each.ok);
      if (json) output.out(JSON.stringify({ ok, graphs: checked }));
      if (!ok) context.fail();
    });
}

/** damage: why the store could not be read to its end. */
async function check(chosen: ChosenStore, progress: CommandContext['progress']) {
  const { place } = chosen;
  try {
    await using store = await openChosen(chosen);
    const { entities, edges, removed, findings } = await checkStore(store, (entries) =>
      progress(`${place.graph}: ${count(entries)} entries checked`),
    );
    const found = { entities: total(entities), edges: total(edges), removed, findings };
    return { store: place.name, ok: findings.length === 0, ...found, damage: undefined };
  } catch (error) {
    if (!(error instanceof FatalError) || !DAMAGE.has(error.code)) throw error;
    return { store: place.name, ok: false, ...NOTHING, damage: error.message };
  }
}

function linesOf({ name: graph, folder, shard }: GraphConfig, found: Checked): string[] {
  if (found.damage !== undefined) return [`DAMAGED  ${found.damage}`];
  const again = shard
    ? `stop the shard, move ${folder} away, and make the store again with twhin restore DIR --graph ${graph}`
    : `${MAKE_AGAIN}, each with --graph ${graph}`;
  return [
    `${count(found.entities)} entities, ${count(found.edges)} live edges, ${count(found.removed)} removed`,
    ...found.findings.flatMap(({ kind, count: times, samples }) => [
      `WRONG    ${kind} ${count(times)}: ${FINDINGS[kind]}`,
      ...samples.map((sample) => `           ${sample}`),
    ]),
    found.ok ? 'all is well' : again,
  ];
}
