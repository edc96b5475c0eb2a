import { totalmem } from 'node:os';
import { EDGES } from '../../compose/serving.ts';
import { UsageError } from '../../errors/errors.ts';
import { mostScanRows, scanRowBytes } from '../../kernels/scan/layout.ts';
import { EDGE_BYTES, EDGE_WITH_ENTITIES_BYTES } from '../../serve/activity/activity.ts';
import { count } from '../format.ts';

/** A vector's times and name beside the table, and its name again at the start, while an event that names it waits for it. */
const NAME_BYTES = 17 + 61 + 53;

/** A graph, as far as it is bounded by its configuration. */
interface BoundedGraph {
  readonly name: string;
  readonly model: { readonly dim: number };
  readonly trainer: { readonly maxRows: number };
}

/** Bytes of memory that the machine or the container has. Next to nothing of what is bounded is in V8's heap, which has a limit of its own. */
export function memoryHere(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Most edges of each graph: as asked, else the default or half of the memory. @throws UsageError when the asked take more than all. */
export function edgesWithin(asked: number | undefined, graphs: number, memory: number): number {
  if (asked === undefined) return Math.min(EDGES, Math.floor(memory / 2 / graphs / EDGE_WITH_ENTITIES_BYTES));
  const most = Math.floor(memory / graphs / EDGE_BYTES);
  if (asked <= most) return asked;
  throw new UsageError(
    `--edges: ${count(asked)} edges of ${graphsOf(graphs)} take ${gigabytes(asked * graphs * EDGE_BYTES)}; this process has ${gigabytes(memory)}. ` +
      `At most ${count(most)} fit, and vectors and names need memory too: lower --edges`,
  );
}

/** What an operator should know of the bounds before they are reached, a sentence each. */
export function boundsToSay(
  graphs: readonly BoundedGraph[],
  edges: number,
  scanners: number,
  memory: number,
): string[] {
  const said: string[] = [];
  let vectors = 0;
  for (const {
    name,
    model,
    trainer: { maxRows },
  } of graphs) {
    const size = { dim: model.dim, scanners };
    const most = mostScanRows(size);
    vectors += Math.min(maxRows, most) * (scanRowBytes(size) + NAME_BYTES);
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
  return said;
}

function graphsOf(graphs: number): string {
  return graphs === 1 ? 'one graph' : `${graphs} graphs`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
