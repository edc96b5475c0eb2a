/** Default γ of the margin loss, as in most papers. */
const RANKING_MARGIN = 1;

/**
 * `measured` ranked best on replayed streams: distance, unit ball, softmax over many negatives, each corrected for how
 * often it is drawn. Its values are the defaults of the schema.
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
    training: { chunkEdges: 64, uniformNegatives: 192, inBatchNegatives: true, correctNegatives: true },
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
    training: { chunkEdges: 128, uniformNegatives: 128, inBatchNegatives: true, correctNegatives: false },
  },
} as const;

/** A file's content with the values of its preset where it says nothing. The schema checks it later, whatever it is. */
export function withPreset(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  const { preset, model, training }: { preset?: unknown; model?: unknown; training?: unknown } = input;
  const { model: recipe, training: way } = preset === 'twhin' ? PRESETS.twhin : PRESETS.measured;
  const ranks = typeof model === 'object' && model !== null && 'loss' in model && model.loss === 'margin';
  return {
    ...input,
    model: filled(model, ranks ? { ...recipe, margin: RANKING_MARGIN } : recipe),
    training: filled(training, way),
  };
}

function filled(section: unknown = {}, values: object): unknown {
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return section;
  const said = Object.entries(section).filter(([, value]) => value !== undefined);
  return { ...values, ...Object.fromEntries(said) };
}
