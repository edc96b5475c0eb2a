import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { withLock } from '../adapters/file-lock.ts';
import { writeBackup, writeFailure } from '../backup/backup.ts';
import { checkTarget, LOCK } from '../backup/folder.ts';
import type { Manifest } from '../backup/manifest.ts';
import { offsetsOf } from '../graph/head.ts';
import { readLive, readOrigin } from '../state/places.ts';
import type { CommandContext } from './context.ts';
import { count, total } from './format.ts';
import { collect, example, GRAPHS_HELP, JSON_HELP } from './options.ts';
import { tell } from './output.ts';
import { type ChosenStore, openChosen, selectStores } from './select.ts';

export function addBackupCommand(command: Command, { config, output, progress }: CommandContext): void {
  command
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
      const chosen = selectStores(loaded, output, graph, store);
      const names = chosen.map((each) => each.graph.name);
      await checkTarget(dir, loaded.state, names);
      const done: Record<string, ReturnType<typeof summary>> = {};
      for (const each of chosen) {
        const { name } = each.graph;
        const made = await backup(each, join(dir, name), progress);
        done[name] = summary(made);
        if (json) continue;
        const { head, entries } = made;
        const { fileBytes, checkpointBytes } = done[name];
        tell(output, `${name}  (${made.store}, to ${join(dir, name)})`, [
          `${count(total(head.entities))} entities, ${count(total(head.edges))} live edges, step ${count(head.step)}`,
          `${count(entries)} entries, ${((fileBytes + checkpointBytes) / 1e6).toFixed(1)} MB`,
        ]);
      }
      if (json) output.out(JSON.stringify({ dir, graphs: done }));
    });
}

async function backup(
  chosen: ChosenStore,
  folder: string,
  progress: CommandContext['progress'],
): Promise<Manifest> {
  const { graph, place } = chosen;
  await using store = await openChosen(chosen);
  const live = readLive(graph);
  // Settings that the store is trained with, over the configuration.
  const set = (place.name === live.live ? live : readOrigin(place))?.set ?? [];
  const about = { store: place.name, at: new Date().toISOString(), set };
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw writeFailure(folder, error);
  });
  return await withLock(join(folder, LOCK), () =>
    writeBackup(folder, store, about, (entries) =>
      progress(`${graph.name}: ${count(entries)} entries backed up`),
    ),
  );
}

function summary({ store, at, fingerprint, head, entries, bytes, fileBytes, checkpoint }: Manifest) {
  const size = { entries, bytes, fileBytes, checkpointBytes: checkpoint?.fileBytes ?? 0 };
  return { store, at, fingerprint, step: head.step, offsets: offsetsOf(head.positions), ...size };
}
