import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const ROOT = join(import.meta.dirname, '..', '..');

/** Any resource: the common fields, and all others unchecked. */
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

/** The tools that render; both contain the same kustomize. */
const RENDERERS = [
  { command: 'kubectl', args: ['kustomize'] },
  { command: 'kustomize', args: ['build'] },
];
const renderer = RENDERERS.find(({ command }) => {
  const { error } = spawnSync(command, ['--help'], { stdio: 'ignore' });
  return error === undefined;
});

/** Whether the tests are skipped: without a tool, except in CI. */
export const SKIPPED = renderer === undefined && process.env['CI'] !== 'true';
if (SKIPPED)
  console.warn('skipped: neither kubectl nor kustomize is on the PATH, so no manifest was rendered');

const rendered = new Map<string, string>();

/** The rendered text of a kustomization. path: relative to the checkout. */
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

/** The rendered resources, in the order of their application. */
export function render(path: string): Resource[] {
  return parseDocuments(renderText(path));
}

export function parseDocuments(text: string): Resource[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return resourceSchema.parse(document.toJS());
  });
}

/** The resources of one kind, parsed by a schema. */
export function ofKind<T>(resources: readonly Resource[], kind: string, schema: z.ZodType<T>): T[] {
  return resources.filter((each) => each.kind === kind).map((each) => schema.parse(each));
}
