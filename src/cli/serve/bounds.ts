import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { UsageError } from '../../errors/errors.ts';
import { mostScanRows, scanRowBytes } from '../../kernels/scan/layout.ts';
import { count } from '../format.ts';
import { EDGES } from './begin.ts';

/** Bytes as `bench/served-memory.ts` measures them. An edge alone, and with its part of the entities that it leads from and to. */
const [EDGE_BYTES, EDGE_WITH_ENTITIES_BYTES] = [12, 31];
/** A vector's times and name, beside the table. */
const NAME_BYTES = 17 + 61;
/** V8's heap for an entity that an event names before its vector is read; at most as many wait at the start as there are rows. */
const AWAITED_BYTES = 110;

/** What this process may take, in bytes. */
export interface Room {
  readonly heap: number;
  readonly memory: number;
}

/** What a graph may have by its configuration. */
export interface GraphSize {
  readonly name: string;
  readonly dim: number;
  readonly maxRows: number;
}

/** Node's heap limit, and the memory of the machine or of the container. */
export function roomHere(): Room {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return { heap: getHeapStatistics().heap_size_limit, memory };
}

/**
 * Most edges that each graph remembers. asked: by the command line; without it the default, or as many as take half of the
 * memory. @throws UsageError `edges` when the asked ones alone take more than all of it.
 */
export function edgesWithin(asked: number | undefined, graphs: number, { memory }: Room): number {
  if (asked === undefined) return Math.min(EDGES, Math.floor(memory / 2 / graphs / EDGE_WITH_ENTITIES_BYTES));
  const most = Math.floor(memory / graphs / EDGE_BYTES);
  if (asked <= most) return asked;
  throw new UsageError(
    'edges',
    `--edges: ${count(asked)} edges of ${graphsOf(graphs)} take ${gigabytes(asked * graphs * EDGE_BYTES)}; this process has ${gigabytes(memory)}. ` +
      `At most ${count(most)} fit, and vectors and names need memory too: lower --edges`,
  );
}

/** What an operator should know of the bounds before they are reached, a sentence each. */
export function boundsToSay(
  graphs: readonly GraphSize[],
  edges: number,
  scanners: number,
  { heap, memory }: Room,
): string[] {
  const said: string[] = [];
  let [vectors, awaited] = [0, 0];
  for (const { name, dim, maxRows } of graphs) {
    const size = { dim, scanners };
    const most = mostScanRows(size);
    vectors += Math.min(maxRows, most) * (scanRowBytes(size) + NAME_BYTES);
    awaited += maxRows * AWAITED_BYTES;
    if (maxRows > most)
      said.push(
        `graph ${name} can have ${count(maxRows)} entities by limits.maxEntities; this process holds ${count(most)} of a type and ends with an error at more`,
      );
  }
  const together = edges * graphs.length * EDGE_WITH_ENTITIES_BYTES;
  if (vectors + together > memory)
    said.push(
      `${graphsOf(graphs.length)} can take ${gigabytes(vectors)} for vectors by limits.maxEntities and ${gigabytes(together)} for ${count(edges)} edges each; this process has ${gigabytes(memory)}`,
    );
  if (awaited > heap)
    said.push(
      `${graphsOf(graphs.length)} can take ${gigabytes(awaited)} of Node's heap at the start by limits.maxEntities; it has ${gigabytes(heap)}, which NODE_OPTIONS=--max-old-space-size raises`,
    );
  return said;
}

function graphsOf(graphs: number): string {
  return graphs === 1 ? 'one graph' : `${graphs} graphs`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
