/** Headers of a vector that was published, and the same as text. */
export const HEADERS = {
  graph: 'follow',
  dim: 2,
  dtype: 'float32',
  step: 41,
  at: 1_704_067_200_000,
  fingerprint: 'f0',
  epoch: 3,
  space: '5eed',
} as const;
export const AS_TEXT = {
  graph: 'follow',
  dim: '2',
  dtype: 'float32',
  step: '41',
  at: '1704067200000',
  fingerprint: 'f0',
  epoch: '3',
  space: '5eed',
};
