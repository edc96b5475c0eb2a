import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Any resource: what all have, and the rest as it came. */
const resourceSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
});
export type Resource = z.infer<typeof resourceSchema>;

/** What renders, by the name it is found under; both hold the same kustomize. */
const RENDERERS = [
  { command: 'kubectl', args: ['kustomize'] },
  { command: 'kustomize', args: ['build'] },
];
const renderer = RENDERERS.find(({ command }) => {
  const { error } = spawnSync(command, ['--help'], { stdio: 'ignore' });
  return error === undefined;
});

/** Nothing renders here, and nobody insists: CI does, since tests that are always skipped hold nothing. */
export const SKIPPED = renderer === undefined && process.env['CI'] !== 'true';
if (SKIPPED)
  console.warn('skipped: neither kubectl nor kustomize is on the PATH, so no manifest was rendered');

const rendered = new Map<string, string>();

/** A kustomization's text as it would be applied. path: from the checkout. */
export function renderText(path: string): string {
  const known = rendered.get(path);
  if (known !== undefined) return known;
  if (renderer === undefined) throw new Error('neither kubectl nor kustomize is on the PATH');
  const args = [...renderer.args, join(ROOT, path)];
  const { status, stdout, stderr } = spawnSync(renderer.command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${renderer.command} ${args.join(' ')} failed: ${stderr}`);
  rendered.set(path, stdout);
  return stdout;
}

/** The same, parsed, in the order it would be applied in. */
export function render(path: string): Resource[] {
  return parseDocuments(renderText(path));
}

export function parseDocuments(text: string): Resource[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return resourceSchema.parse(document.toJS());
  });
}

/** Those of one kind, checked against what the test is to look at. */
export function ofKind<T>(resources: readonly Resource[], kind: string, schema: z.ZodType<T>): T[] {
  return resources.filter((each) => each.kind === kind).map((each) => schema.parse(each));
}
