import { ShapeError } from '../errors.ts';
import { adagradUpdate, intoUnitBall, moveOf } from '../model/adagrad.ts';
import type { Chunk, Kernel } from '../model/kernel.ts';
import { LOSSES } from '../model/losses.ts';
import { SCORERS } from '../model/scorers.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, checkRows, createChunk } from './chunk.ts';

/** One direction of training: anchors stand on one side, positives and candidates on the other. */
interface Side {
  readonly anchors: Int32Array;
  /** Relation row of relation r is 2r + this. */
  readonly reverse: 0 | 1;
  readonly positives: Int32Array;
  readonly candidates: Int32Array;
  /** [edges, maxCandidates]: 1 where the candidate is no negative. */
  readonly mask: Uint8Array;
}

/**
 * The kernel in plain TypeScript and float64: slow, clear, and what every other kernel is compared with. Only what
 * is written back is rounded to the table's float32.
 */
export class ReferenceKernel implements Kernel {
  readonly name = 'reference';
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #table: Table;
  readonly #settings: ModelSettings;

  constructor(table: Table, settings: ModelSettings, size: ChunkSize) {
    this.#table = table;
    this.#settings = settings;
    this.chunk = createChunk(size, {
      ints: (_name, length) => new Int32Array(length),
      floats: (_name, length) => new Float32Array(length),
      bytes: (_name, length) => new Uint8Array(length),
    });
    this.losses = new Float32Array(size.maxEdges);
  }

  step(): number {
    const { chunk } = this;
    checkChunk(chunk, this.#table);
    const gradients = new Map<number, Float64Array>();
    const losses = new Float64Array(chunk.edges);
    for (const side of this.#sides()) {
      for (let i = 0; i < chunk.edges; i++) losses[i]! += this.#addAnchor(side, i, gradients);
    }
    // Only now does any row move: all gradients are of the values before the step.
    for (const [row, gradient] of gradients) this.#update(row, gradient);
    this.losses.set(losses);
    return losses.reduce((sum, loss) => sum + loss, 0);
  }

  scores(anchor: number, relationRow: number, candidates: Int32Array, out: Float32Array): void {
    if (out.length < candidates.length) {
      throw new ShapeError(`out has ${out.length} elements; ${candidates.length} candidates need as many`);
    }
    checkRows('[anchor, relationRow]', Int32Array.of(anchor, relationRow), 2, 0, this.#table.rows);
    checkRows('candidates', candidates, candidates.length, 0, this.#table.rows);
    const { scorer, beta } = this.#settings;
    const moved = this.#translated(anchor, relationRow);
    candidates.forEach((row, j) => {
      out[j] = SCORERS[scorer].score(moved, this.#vector(row), beta);
    });
  }

  #sides(): Side[] {
    const { lhs, rhs, lhsCount, lhsCandidates, lhsMask, rhsCount, rhsCandidates, rhsMask } = this.chunk;
    return [
      {
        anchors: lhs,
        reverse: 0,
        positives: rhs,
        candidates: rhsCandidates.subarray(0, rhsCount),
        mask: rhsMask,
      },
      {
        anchors: rhs,
        reverse: 1,
        positives: lhs,
        candidates: lhsCandidates.subarray(0, lhsCount),
        mask: lhsMask,
      },
    ];
  }

  /** Adds what edge `i` contributes on one side to the gradients, by row, and returns its loss there. */
  #addAnchor(side: Side, i: number, gradients: Map<number, Float64Array>): number {
    const { scorer: scorerName, loss: lossName, beta } = this.#settings;
    const scorer = SCORERS[scorerName];
    const anchor = side.anchors[i]!;
    const positive = side.positives[i]!;
    const relationRow = 2 * this.chunk.relation[i]! + side.reverse;
    const moved = this.#translated(anchor, relationRow);

    const maskStart = i * this.chunk.maxCandidates;
    const negatives = side.candidates.filter((_row, j) => side.mask[maskStart + j] === 0);
    const scores = Float64Array.from(negatives, (row) => scorer.score(moved, this.#vector(row), beta));
    const weights = new Float64Array(negatives.length);
    const positiveScore = scorer.score(moved, this.#vector(positive), beta);
    const { loss, positiveWeight } = LOSSES[lossName](positiveScore, scores, this.#settings, weights);

    const edgeWeight = this.chunk.edgeWeights[i]!;
    const movedGradient = new Float64Array(moved.length);
    const add = (row: number, weight: number) => {
      const slot = this.#slot(gradients, row);
      scorer.addGradient(moved, this.#vector(row), beta, edgeWeight * weight, movedGradient, slot);
    };
    add(positive, positiveWeight);
    negatives.forEach((row, j) => {
      add(row, weights[j]!);
    });
    for (const row of [anchor, relationRow]) {
      const gradient = this.#slot(gradients, row);
      for (let k = 0; k < gradient.length; k++) gradient[k]! += movedGradient[k]!;
    }
    return edgeWeight * loss;
  }

  #update(row: number, gradient: Float64Array): void {
    if (gradient.every((g) => g === 0)) return;
    const { floats, accumulator, drift } = this.#table;
    const at = this.#table.at(row);
    const before = this.#vector(row);
    const update = adagradUpdate(before, gradient, floats[at + accumulator]!, this.#settings.learningRate);
    if (this.#settings.unitBall && !this.#isRelation(row)) intoUnitBall(update.vector);
    floats.set(update.vector, at);
    floats[at + accumulator] = update.accumulator;
    floats[at + drift]! += moveOf(before, this.#vector(row));
  }

  #isRelation(row: number): boolean {
    return this.chunk.relation.subarray(0, this.chunk.edges).includes(row >> 1);
  }

  #vector(row: number): Float64Array {
    return Float64Array.from(this.#table.vector(row));
  }

  #translated(anchor: number, relationRow: number): Float64Array {
    const relation = this.#vector(relationRow);
    return this.#vector(anchor).map((x, k) => x + relation[k]!);
  }

  #slot(gradients: Map<number, Float64Array>, row: number): Float64Array {
    let gradient = gradients.get(row);
    if (gradient === undefined) {
      gradient = new Float64Array(this.#table.dim);
      gradients.set(row, gradient);
    }
    return gradient;
  }
}
