import type { ModelSettings } from '../../model/settings.ts';
import type { TableOptions } from '../../model/table.ts';
import type { TrainerSettings } from './trainer.ts';

/** What kernels need of a table's memory. */
export interface Workspace {
  /** Bytes that stay free before the table's rows. */
  workspaceBytes(model: ModelSettings, maxEdges: number, maxCandidates: number, threads: number): number;
}

/** Upper bounds of a chunk's edges, and of its candidates on each side. */
export function chunkLimits(settings: TrainerSettings) {
  const { chunkEdges, uniformNegatives, inBatchNegatives, anchorNegatives } = settings;
  const own = (inBatchNegatives ? chunkEdges : 0) + (anchorNegatives ? chunkEdges : 0);
  return { maxEdges: chunkEdges, maxCandidates: own + uniformNegatives };
}

/** The size of a trainer's table. */
export function tableOptions(settings: TrainerSettings, kernels: Workspace): TableOptions {
  const { model, maxRows, threads } = settings;
  const { maxEdges, maxCandidates } = chunkLimits(settings);
  const workspaceBytes = kernels.workspaceBytes(model, maxEdges, maxCandidates, threads);
  return { dim: model.dim, maxRows, workspaceBytes };
}
