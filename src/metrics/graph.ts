import type { StoreMemory } from '../graph/store.ts';
import type { Progress } from '../pipeline/progress.ts';
import type { PartitionLag } from '../pipeline/reading/lag.ts';
import type { Disk } from './disk.ts';

/** A graph that is run in this process, as its metrics see it. */
export interface WatchedGraph {
  readonly name: string;
  readonly kernel: string;
  /** Of its model; part of every published vector's headers. */
  readonly fingerprint: string;
  /** Rows its table may hold. */
  readonly maxRows: number;
  /** Every code that a record can be rejected with. */
  readonly rejections: readonly string[];
  /** Folder of its stores. */
  readonly folder: string;
  progress(): Progress;
  lag(): readonly PartitionLag[];
  /** Bytes its table takes with so many rows in use. */
  tableBytes(rows: number): number;
  /** What its store has in memory; undefined once it is closed. */
  storeMemory(): Promise<StoreMemory | undefined>;
  /** Why nobody should rely on it now; none when it is ready. */
  unready(): Promise<readonly string[]>;
}

/** Everything a scrape tells of a graph, of one moment. */
export interface GraphSnapshot {
  readonly graph: WatchedGraph;
  readonly progress: Progress;
  readonly lag: readonly PartitionLag[];
  readonly ready: boolean;
  /** Of its stores; undefined where there is no folder yet. */
  readonly disk: Disk | undefined;
  readonly storeMemory: StoreMemory | undefined;
  /** Epoch ms. */
  readonly now: number;
}
