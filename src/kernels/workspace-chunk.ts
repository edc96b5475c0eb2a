import { FatalError } from '../errors/errors.ts';
import type { Kernel } from '../model/kernel.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, createChunk } from './chunk.ts';
import type { Workspace } from './workspace.ts';

/** @throws FatalError when the table keeps too little room below its rows for the workspace. */
export function needRoom(table: Table, workspace: Workspace, size: ChunkSize): void {
  if (table.base < workspace.bytes) {
    throw new FatalError(
      'kernel-workspace',
      `the wasm kernel needs ${workspace.bytes} bytes below the table's rows and there are ${table.base}; ` +
        `make the table with workspaceBytes(settings, ${size.maxEdges}, ${size.maxCandidates}) and its threads`,
    );
  }
}

/**
 * The chunk and the losses of a workspace, as views of the table's memory.
 * @throws FatalError when the table keeps too little room for it.
 */
export function chunkIn(
  table: Table,
  workspace: Workspace,
  size: ChunkSize,
): Pick<Kernel, 'chunk' | 'losses'> {
  needRoom(table, workspace, size);
  // A shared memory never moves, so views made now stay good when the table grows.
  const { buffer } = table.memory;
  return {
    chunk: createChunk(size, {
      ints: (name, length) => new Int32Array(buffer, workspace[name], length),
      floats: (name, length) => new Float32Array(buffer, workspace[name], length),
      bytes: (name, length) => new Uint8Array(buffer, workspace[name], length),
    }),
    losses: new Float32Array(buffer, workspace.losses, size.maxEdges),
  };
}
