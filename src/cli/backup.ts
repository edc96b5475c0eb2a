import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { withLock } from '../adapters/file-lock.ts';
import { writeBackup, writeFailure } from '../backup/backup.ts';
import { checkTarget, LOCK } from '../backup/folder.ts';
import type { Manifest } from '../backup/manifest.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { openForReading, refuseNoStore } from '../state/open.ts';
import { placeOf, readLive, readOrigin, type StorePlace } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, megabytes, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { tell } from './output.ts';
import { selectGraphs } from './select.ts';

/** Puts `twhin backup` on the command line. */
export function addBackupCommand(program: Command, { config, output, progress }: CommandContext): void {
  program
    .command('backup')
    .description('back up the stores as of their last commits; an updater may be running')
    .argument('<dir>', 'folder for backups, outside of the state folder')
    .option('--graph <name>', GRAPHS_HELP, collect, [])
    .option('--store <name>', 'the store of that name instead of the live store')
    .option('--json', JSON_HELP)
    .addHelpText(
      'after',
      example('twhin backup /backups/twhin\ntwhin backup /backups/twhin --graph engagement'),
    )
    .action(async (dir: string, { graph, store, json }) => {
      const loaded = await config();
      const chosen = selectGraphs(loaded, graph);
      await checkTarget(
        dir,
        loaded.state,
        chosen.map(({ name }) => name),
      );
      if (store === undefined) refuseNoStore(chosen, loaded.state);
      const done: Record<string, ReturnType<typeof summary>> = {};
      for (const each of chosen) {
        const made = await backup(each, dir, store, progress);
        output.statusDone();
        if (made === undefined) {
          if (store !== undefined) throw noStore(each, store);
          if (json !== true) output.out(`${each.name}  no store yet, so there is nothing to back up`);
          continue;
        }
        done[each.name] = summary(made);
        const { head, entries, fileBytes } = made;
        if (json === true) continue;
        tell(output, `${each.name}  (${made.store}, to ${join(dir, each.name)})`, [
          `${count(total(head.entities))} entities, ${count(total(head.edges))} live edges, step ${count(head.step)}`,
          `${count(entries)} entries, ${megabytes(fileBytes)}`,
        ]);
      }
      if (json === true) output.out(JSON.stringify({ dir, graphs: done }));
    });
}

/** undefined: there is no store. */
async function backup(
  graph: GraphConfig,
  dir: string,
  name: string | undefined,
  progress: CommandContext['progress'],
): Promise<Manifest | undefined> {
  const live = readLive(graph);
  const place = placeOf(graph, name ?? live.live);
  await using store = await openForReading(graph, place);
  if (store === undefined) return undefined;
  const folder = join(dir, graph.name);
  const about = { store: place.name, at: new Date().toISOString(), set: settingsOf(place, live) };
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw writeFailure(folder, error);
  });
  return await withLock(join(folder, LOCK), () =>
    writeBackup(folder, store, about, (entries) =>
      progress(`${graph.name}: ${count(entries)} entries backed up`),
    ),
  );
}

/** Settings that the store is trained with and that differ from the configuration. */
function settingsOf(place: StorePlace, live: ReturnType<typeof readLive>): readonly string[] {
  if (place.name === live.live) return live.set;
  return readOrigin(place)?.set ?? [];
}

function summary({ store, at, fingerprint, head, entries, bytes, fileBytes }: Manifest) {
  return { store, at, fingerprint, step: head.step, offsets: head.offsets, entries, bytes, fileBytes };
}

function noStore({ name, folder }: GraphConfig, store: string): FatalError {
  return new FatalError(
    'store-missing',
    `${name} has no store ${store} in ${folder}: there is nothing to back up`,
  );
}
