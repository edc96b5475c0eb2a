import type { ModelSettings } from '../model/settings.ts';

/** What a recipe decides. */
export interface Recipe {
  readonly model: Omit<ModelSettings, 'dim'>;
  readonly chunkEdges: number;
  readonly uniformNegatives: number;
  readonly inBatchNegatives: boolean;
}

/**
 * `measured`: the recipe that did best on replayed streams: distance, softmax over many negatives, unit ball.
 * `twhin`: the paper's dot product with the logistic loss, negatives weighing together what the positive does.
 */
export const PRESETS = {
  measured: {
    model: {
      scorer: 'transe-l2',
      loss: 'softmax',
      beta: 9,
      margin: 0,
      negativeWeight: 3,
      learningRate: 0.05,
      unitBall: true,
    },
    chunkEdges: 64,
    uniformNegatives: 256,
    inBatchNegatives: false,
  },
  twhin: {
    model: {
      scorer: 'twhin',
      loss: 'logistic',
      beta: 1,
      margin: 0,
      negativeWeight: 1,
      learningRate: 0.05,
      unitBall: false,
    },
    chunkEdges: 128,
    uniformNegatives: 128,
    inBatchNegatives: true,
  },
} as const satisfies Record<string, Recipe>;
