import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll } from 'vitest';
import { stringify } from 'yaml';
import type { Config } from '../../src/config/resolve.ts';
import { routerLag, scaledObjects } from '../../tools/k8s/router-lag.ts';
import { backupsOfShards, shardBackups } from '../../tools/k8s/shard-backups.ts';
import { shards } from '../../tools/k8s/shards.ts';
import { ROOT } from './rendered.ts';

/** A copy of the manifests with what is generated for these graphs. Gives the path of an overlay of it, or of another folder. */
export async function manifestsOf(graphs: Config): Promise<(folder: string) => string> {
  const copy = mkdtempSync(join(tmpdir(), 'k8s-copy-'));
  afterAll(() => rmSync(copy, { recursive: true }));
  cpSync(join(ROOT, 'k8s'), join(copy, 'k8s'), { recursive: true });
  const write = (name: string, ...all: object[]) =>
    writeFileSync(
      join(copy, 'k8s', 'components', name),
      all.map((each) => stringify(each, { aliasDuplicateObjects: false })).join('---\n'),
    );
  write('shards/kustomization.yaml', shards(graphs));
  write('router-lag/kustomization.yaml', routerLag(graphs));
  write('router-lag/scaled-objects.yaml', ...scaledObjects(graphs));
  write('shard-backups/kustomization.yaml', shardBackups(graphs));
  const backups = await backupsOfShards(graphs, join(ROOT, 'k8s', 'backup', 'graph'));
  write('shard-backups/backups.yaml', ...backups);
  return (folder) => relative(ROOT, join(copy, folder));
}
