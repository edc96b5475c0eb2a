import type { Progress } from '../pipeline/progress.ts';
import type { PartitionLag } from '../pipeline/reading/lag.ts';

/** A graph that is run in this process, as its metrics see it. */
export interface WatchedGraph {
  readonly name: string;
  readonly kernel: string;
  /** Of its model; part of every published vector's headers. */
  readonly fingerprint: string;
  /** Rows its table may hold. */
  readonly maxRows: number;
  /** Folder of its stores. */
  readonly folder: string;
  progress(): Progress;
  lag(): readonly PartitionLag[];
  /** Why nobody should rely on it now; none when it is ready. */
  unready(): Promise<readonly string[]>;
}

/** Everything a scrape tells of a graph, of one moment. */
export interface GraphSnapshot {
  readonly graph: WatchedGraph;
  readonly progress: Progress;
  readonly lag: readonly PartitionLag[];
  readonly ready: boolean;
  /** Bytes of its stores' files, and of what is free beside them; undefined where there is no folder yet. */
  readonly disk: { readonly used: number; readonly free: number } | undefined;
  /** Epoch ms. */
  readonly now: number;
}
