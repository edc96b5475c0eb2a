import { UsageError } from '../../../errors/errors.ts';
import type { ChunkSize } from '../../../kernels/chunk.ts';
import { layOut, needRoom, WORKSPACES_BESIDE } from '../../../kernels/workspace.ts';
import type { KernelName } from '../../../model/kernel.ts';
import type { ModelSettings } from '../../../model/settings.ts';
import type { Table } from '../../../model/table.ts';
import type { Stepper } from '../../../pipeline/training/stepper.ts';
import { ThreadStepper } from './stepper.ts';

/** Far more than any step takes, milliseconds where nothing else runs. */
const PATIENCE_S = 60;

/**
 * `threads - 1` threads that step on the table beside the caller's own, in workspaces above its.
 * @throws UsageError for a kernel that is not compiled: what it works with is not in shared memory.
 * @throws FatalError when the table keeps too little room below its rows.
 */
export function startSteppers(
  build: KernelName,
  table: Table,
  model: ModelSettings,
  { threads, ...size }: ChunkSize & { readonly threads: number },
): readonly Stepper[] {
  if (build !== 'wasm-plain' && build !== 'wasm-relaxed') {
    throw new UsageError('threads', `kernel ${build} runs in one thread; ${threads} were asked for`);
  }
  // From sources the entry is TypeScript, from dist JavaScript; this file's own name tells which.
  const entry = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const workspaces = Array.from({ length: WORKSPACES_BESIDE * (threads - 1) }, (_, i) =>
    layOut(model.dim, size, i + 1),
  );
  // Before the first thread is started: who can't have all of them gets none.
  for (const workspace of workspaces) needRoom(table, workspace, size);
  return Array.from({ length: threads - 1 }, (_, i) => {
    const own = WORKSPACES_BESIDE * i;
    return new ThreadStepper({
      ...{ entry, table, size, kernel: { build, model }, patience: PATIENCE_S },
      name: `trainer ${i + 2}`,
      workspaces: workspaces.slice(own, own + WORKSPACES_BESIDE),
    });
  });
}
