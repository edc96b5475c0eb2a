import { type ChunkContent, pairs, triples } from '../fixture.ts';

/** Rows of the tables in these tests: those of two relations and ten entities. */
export const ROWS = 14;

/** Rows in every role: 4 is lhs twice, rhs once and a candidate twice on one side; 9 is on both sides of one edge. */
export const CROWDED: ChunkContent = {
  edges: triples('4 0 5, 4 0 6, 5 1 4, 7 1 8, 9 0 9'),
  edgeWeights: [1, 2, 1, 0.5, 1],
  lhsCorrections: [0.5, -1, 0, 2, -0.25],
  rhsCorrections: [0, 1, -2, 0.75, 0, -0.5, 3],
  lhsCandidates: [4, 10, 4, 7, 12],
  rhsCandidates: [5, 6, 11, 11, 4, 8, 9],
  lhsMasked: pairs('0 0, 0 2, 1 0, 1 2, 3 3, 3 4'),
  rhsMasked: pairs('0 0, 0 1, 1 0, 1 1, 2 4, 4 6'),
};
