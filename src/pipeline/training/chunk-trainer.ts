import { decayed } from '../../model/adagrad.ts';
import type { Chunk, Kernel } from '../../model/kernel.ts';
import { cutChunks, type Rehearsed } from '../../sampling/batch.ts';
import type { Negatives } from '../../sampling/negatives.ts';
import type { Random } from '../../sampling/random.ts';
import type { Foreign } from './foreign.ts';
import type { Lane, Stepper } from './stepper.ts';
import type { TrainerSettings, TrainReport } from './trainer.ts';
import type { TrainerRows } from './trainer-rows.ts';

type Losses = Pick<TrainReport, 'loss' | 'edgesByRelation'>;

/** A chunk's edges: their batch, and their indices in it. */
type Picked = readonly [batch: Rehearsed, indices: Int32Array];

interface ChunkTrainerParts {
  readonly settings: TrainerSettings;
  readonly kernel: Kernel;
  readonly steppers: readonly Stepper[];
  readonly negatives: Negatives;
  readonly rows: TrainerRows;
  /** A graph that is cut is trained without steppers. */
  readonly foreign: Foreign;
}

/**
 * Trains a batch's edges chunk by chunk. The calling thread fills every chunk, and so draws all random numbers. After `train`, the last
 * steps may still be under way: the next batch's chunks are filled meanwhile. After `settle`, no thread touches the table.
 *
 * With one training thread, a stepper does one step after the other while the next chunks are filled. These depend on no step, and
 * the rows that a step moves are marked before it begins: the bytes are those of steps in the calling thread, which does them
 * where there is no stepper yet. Where the calling thread would wait for a step, it does a part of that step.
 *
 * With more training threads, the calling thread steps where no stepper is free. Two threads may move one row at once, and one may
 * overwrite the other's step (Hogwild: Niu et al. 2011): chunks share few rows, and a step that is lost now and then is small.
 */
export class ChunkTrainer {
  readonly #parts: ChunkTrainerParts;
  /** Lanes at work, with their edges. */
  readonly #begun = new Map<Lane, Picked>();
  /** Of the steps that ended since the last report. */
  #losses: Losses;

  constructor(parts: ChunkTrainerParts) {
    this.#parts = parts;
    this.#losses = noLosses(parts.settings);
  }

  /** The number of steps; loss and number of the new edges by relation, of steps that ended since the last report. step: the steps before. */
  train(batch: Rehearsed, random: Random, step: number): Losses & { readonly steps: number } {
    const { settings, kernel, negatives, foreign } = this.#parts;
    const { model, decaySteps, relations, chunkEdges } = settings;
    const { order, ends } = cutChunks(batch.edges.relation, relations, chunkEdges);
    if (ends.length === 1) this.settle();
    let from = 0;
    for (const [i, to] of ends.entries()) {
      const picked = [batch, order.subarray(from, to)] as const;
      const lane = ends.length === 1 ? undefined : this.#take();
      const { chunk } = lane ?? kernel;
      chunk.learningRate = decayed(model.learningRate, step + i, decaySteps);
      negatives.fill(chunk, batch.edges, picked[1], random);
      this.#touch(chunk);
      if (lane === undefined) {
        kernel.step();
        foreign.stepped(kernel, chunk.learningRate);
        addLosses(this.#losses, picked, kernel.losses);
      } else {
        lane.begin();
        this.#begun.set(lane, picked);
      }
      from = to;
    }
    const losses = this.#losses;
    this.#losses = noLosses(settings);
    return { ...losses, steps: ends.length };
  }

  /** Waits for the steps under way. @throws FatalError as `Lane.finish`. */
  settle(): void {
    for (const lane of this.#begun.keys()) this.#finish(lane);
  }

  /** A lane that can be filled; the losses of its last chunk are counted. */
  #take(): Lane | undefined {
    const { steppers, settings } = this.#parts;
    for (;;) {
      for (const stepper of steppers) {
        const lane = stepper.take();
        if (lane === undefined) continue;
        this.#finish(lane);
        return lane;
      }
      // The calling thread must not step before a step that was begun.
      const [oldest] = settings.threads === 1 ? this.#begun.keys() : [];
      if (oldest === undefined) return undefined;
      this.#finish(oldest);
    }
  }

  #finish(lane: Lane): void {
    const picked = this.#begun.get(lane);
    if (picked === undefined) return;
    lane.finish();
    this.#begun.delete(lane);
    addLosses(this.#losses, picked, lane.losses);
  }

  /** Every row of the chunk may move. */
  #touch(chunk: Chunk): void {
    const { edges, lhs, relation, rhs, sides } = chunk;
    const { settings, rows, foreign } = this.#parts;
    for (let i = 0; i < edges; i++) {
      foreign.touch(lhs[i]!);
      foreign.touch(rhs[i]!);
      rows.touch(2 * relation[i]!);
      rows.touch(2 * relation[i]! + 1);
      rows.trained[lhs[i]!] = 1;
      rows.trained[rhs[i]!] = 1;
    }
    // In-batch candidates are the ends of the edges, and come first.
    for (const { count, candidates } of [sides.lhs, sides.rhs])
      for (let k = settings.inBatchNegatives ? edges : 0; k < count; k++) foreign.touch(candidates[k]!);
  }
}

function noLosses({ relations }: TrainerSettings): Losses {
  const [loss, edgesByRelation] = [relations, relations].map(({ length }) => new Float64Array(length));
  return { loss: loss!, edgesByRelation: edgesByRelation! };
}

/** Adds the losses of a chunk's new edges; the losses of edges that were trained before measure nothing new. */
function addLosses(to: Losses, [{ edges, every, firstRound }, indices]: Picked, of: Float32Array): void {
  for (let i = 0; i < indices.length; i++) {
    const edge = indices[i]!;
    if (edge >= firstRound || edge % every !== 0) continue;
    const relation = edges.relation[edge]!;
    to.loss[relation]! += of[i]!;
    to.edgesByRelation[relation]! += 1;
  }
}
