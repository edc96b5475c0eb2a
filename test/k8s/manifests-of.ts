import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll } from 'vitest';
import { stringify } from 'yaml';
import type { Config } from '../../src/config/resolve.ts';
import { shards } from '../../tools/k8s/shards.ts';
import { ROOT } from './rendered.ts';

/** A copy of the manifests with what is generated for these graphs. Gives the path of an overlay of it, or of another folder. */
export async function manifestsOf(graphs: Config): Promise<(folder: string) => string> {
  const copy = mkdtempSync(join(tmpdir(), 'k8s-copy-'));
  afterAll(() => rmSync(copy, { recursive: true }));
  cpSync(join(ROOT, 'k8s'), join(copy, 'k8s'), { recursive: true });
  const component = join(copy, 'k8s', 'components', 'shards', 'kustomization.yaml');
  writeFileSync(component, stringify(shards(graphs), { aliasDuplicateObjects: false }));
  return (folder) => relative(ROOT, join(copy, folder));
}
