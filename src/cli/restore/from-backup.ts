import { join } from 'node:path';
import { openBackedUp, readBackup } from '../../backup/backup.ts';
import { graphsIn } from '../../backup/folder.ts';
import { type Manifest, readManifest } from '../../backup/manifest.ts';
import { PLACES } from '../../config/overrides.ts';
import { FatalError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import { type Head, refuseOther } from '../../graph/head.ts';
import { WriteBatch } from '../../graph/write-batch.ts';
import { newPlace, type Restoring } from '../../state/staged-store.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { selectGraphs } from '../select.ts';

/** Entries written at a time. */
const BATCH = 4_096;

/** Backups in `dir` that fit the configuration and have a free place. names: the graphs; if empty, every graph with a backup. */
export async function planFromBackup(
  dir: string,
  names: readonly string[],
  into: string | undefined,
  { config, progress }: CommandContext,
): Promise<Restoring[]> {
  const plain = await config();
  const there = await graphsIn(dir, (name) => plain.graphs.some((graph) => graph.name === name));
  const chosen = selectGraphs(plain, names.length > 0 ? names : there);
  if (there.length === 0) throw new FatalError('backup-read', `there is no backup in ${dir}`);
  const plans: Restoring[] = [];
  for (const graph of chosen) {
    const folder = join(dir, graph.name);
    const manifest = await readManifest(folder, graph.name);
    if (manifest === undefined) {
      throw new FatalError(
        'backup-read',
        `there is no backup of ${graph.name} in ${dir}, but of ${there.join(', ')}`,
      );
    }
    const { set } = manifest;
    const { graphs } = await config(checkedSettings(set, folder));
    refuseOther(manifest.head, graphs.find(({ name }) => name === graph.name) ?? graph);
    plans.push({
      graph: { ...graph, model: manifest.head.model },
      target: newPlace(graph, into, `twhin restore ${dir}`),
      origin: { from: 'backup', set },
      fill: (store) => fill(store, folder, manifest, progress),
    });
  }
  return plans;
}

/** A backup may contain settings of the training, and no setting that says where anything is stored. */
function checkedSettings(set: readonly string[], folder: string): readonly string[] {
  const wrong = set.find((setting) => PLACES.test(setting));
  if (wrong === undefined) return set;
  throw new FatalError('backup-damaged', `${folder} names a setting that no store is trained with: ${wrong}`);
}

async function fill(
  store: GraphStore,
  folder: string,
  manifest: Manifest,
  progress: CommandContext['progress'],
): Promise<Head> {
  await using checkpoint = await openBackedUp(folder, manifest);
  if (checkpoint) await store.checkpoints.write(checkpoint.head, checkpoint.blocks());
  let done = 0;
  for await (const entries of readBackup(folder, manifest)) {
    for (let from = 0; from < entries.length; from += BATCH) {
      const batch = new WriteBatch();
      for (const { key, value } of entries.slice(from, from + BATCH)) batch.put(key, value);
      await store.entries.write(batch);
      done += batch.size;
      progress(
        `${manifest.graph}: ${count(done)} of ${count(manifest.entries)} entries read, checked and written`,
      );
    }
  }
  return manifest.head;
}
