import type { ModelSettings } from '../model/settings.ts';

/** The settings of a training recipe. */
export interface Recipe {
  readonly model: Omit<ModelSettings, 'dim'>;
  readonly chunkEdges: number;
  readonly uniformNegatives: number;
  readonly inBatchNegatives: boolean;
  readonly correctNegatives: boolean;
}

/**
 * `measured` ranked best on replayed streams: distance, unit ball, softmax over many negatives, each corrected for how
 * often it is drawn.
 * `twhin` is the paper's recipe: dot product and logistic loss; all negatives together weigh as much as the positive.
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
    uniformNegatives: 192,
    inBatchNegatives: true,
    correctNegatives: true,
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
    correctNegatives: false,
  },
} as const satisfies Record<string, Recipe>;
