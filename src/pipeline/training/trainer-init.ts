import type { Table } from '../../model/table.ts';
import type { Random } from '../../sampling/random.ts';
import type { Started, TrainerSettings, Triples } from './trainer.ts';

/**
 * Gives rows their start by the settings' rule.
 *
 * - `random`: each number uniform in ±initScale.
 * - `neighbours`: the mean, over the batch's edges to rows that have a vector, of where the edge would put this row,
 *   plus noise of half a random start: without it, all new followers of a hub start at one point and stay together.
 *   Rows next to known ones go first, then rows next to those, and so on; a row that no path joins to a known one
 *   starts at random.
 */
export class Initialiser {
  readonly #table: Table;
  readonly #settings: TrainerSettings;
  readonly #random: Random;

  constructor(table: Table, settings: TrainerSettings, random: Random) {
    this.#table = table;
    this.#settings = settings;
    this.#random = random;
  }

  /**
   * Starts rows. rows: [n] ascending, each once, all zero. edges: the batch's. Gives the number started by each rule:
   * a row without a known neighbour starts at random.
   */
  start(rows: Int32Array, edges: Triples): Started {
    if (rows.length === 0) return { random: 0, neighbours: 0 };
    const left = this.#settings.init === 'neighbours' ? this.#fromNeighbours(rows, edges) : rows;
    for (const row of left) this.scatter(row, this.#settings.initScale);
    if (this.#settings.model.unitBall) for (const row of rows) this.#shrink(row);
    return { random: left.length, neighbours: rows.length - left.length };
  }

  /** Adds a number uniform in ±scale to each number of a row. */
  scatter(row: number, scale: number): void {
    const vector = this.#table.vector(row);
    for (let k = 0; k < vector.length; k++) vector[k]! += (2 * this.#random.uniform() - 1) * scale;
  }

  /** Starts the rows that have known neighbours, and returns the others, ascending. */
  #fromNeighbours(rows: Int32Array, edges: Triples): Int32Array {
    const edgesOf = incidentEdges(rows, edges);
    // The rows still to start; every other row has a vector.
    const waiting = new Set(rows);
    let front = [...rows].filter((row) =>
      neighboursOf(row, edgesOf, edges).some((other) => !waiting.has(other)),
    );
    while (front.length > 0) {
      // All means first, then all marks: the rows of one wave do not see each other, so that their order has no
      // effect.
      for (const row of front) this.#placeAtMean(row, edgesOf, edges, waiting);
      for (const row of front) {
        this.scatter(row, this.#settings.initScale / 2);
        waiting.delete(row);
      }
      const next = new Set<number>();
      for (const row of front) {
        for (const other of neighboursOf(row, edgesOf, edges)) if (waiting.has(other)) next.add(other);
      }
      front = [...next].sort((a, b) => a - b);
    }
    return rows.filter((row) => waiting.has(row));
  }

  /**
   * Mean over the row's edges of neighbour − δ where the row is lhs, and neighbour + δ where the row is rhs. δ is
   * half of forward − reverse: the translation from lhs to rhs on which both vectors of a relation agree. A dot
   * product has no translation: there it is the plain mean.
   */
  #placeAtMean(row: number, edgesOf: EdgesOf, edges: Triples, waiting: ReadonlySet<number>): void {
    const table = this.#table;
    const half = this.#settings.model.scorer === 'twhin' ? 0 : 0.5;
    const sum = new Float64Array(table.dim);
    let count = 0;
    for (const edge of edgesOf.get(row)!) {
      const isLhs = edges.lhs[edge] === row;
      const other = isLhs ? edges.rhs[edge]! : edges.lhs[edge]!;
      // The row itself, in a loop, is still waiting too.
      if (waiting.has(other)) continue;
      const neighbour = table.vector(other);
      const forward = table.vector(2 * edges.relation[edge]!);
      const reverse = table.vector(2 * edges.relation[edge]! + 1);
      const way = isLhs ? -half : half;
      for (let k = 0; k < sum.length; k++) sum[k]! += neighbour[k]! + way * (forward[k]! - reverse[k]!);
      count++;
    }
    const vector = table.vector(row);
    for (let k = 0; k < sum.length; k++) vector[k] = sum[k]! / count;
  }

  #shrink(row: number): void {
    const vector = this.#table.vector(row);
    let square = 0;
    for (let k = 0; k < vector.length; k++) square += vector[k]! * vector[k]!;
    if (square <= 1) return;
    const factor = 1 / Math.sqrt(square);
    for (let k = 0; k < vector.length; k++) vector[k]! *= factor;
  }
}

/** Indices of a batch's edges, by the starting row at one end. */
type EdgesOf = ReadonlyMap<number, readonly number[]>;

function incidentEdges(rows: Int32Array, edges: Triples): EdgesOf {
  const edgesOf = new Map<number, number[]>();
  for (const row of rows) edgesOf.set(row, []);
  for (let edge = 0; edge < edges.lhs.length; edge++) {
    edgesOf.get(edges.lhs[edge]!)?.push(edge);
    edgesOf.get(edges.rhs[edge]!)?.push(edge);
  }
  return edgesOf;
}

function neighboursOf(row: number, edgesOf: EdgesOf, edges: Triples): number[] {
  return edgesOf.get(row)!.map((edge) => (edges.lhs[edge] === row ? edges.rhs[edge]! : edges.lhs[edge]!));
}
