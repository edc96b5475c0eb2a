import type { Chunk } from '../model/kernel.ts';

/** One direction of training: anchors stand on one side, positives and candidates on the other. */
export interface Side {
  /** [maxEdges] rows; the chunk's first `edges` count. */
  readonly anchors: Int32Array;
  /** Relation row of relation r is 2r + this. */
  readonly reverse: 0 | 1;
  readonly positives: Int32Array;
  /** [count] rows. */
  readonly candidates: Int32Array;
  /** [edges, maxCandidates]: 1 where the candidate is no negative. */
  readonly mask: Uint8Array;
}

/** Both directions of a chunk: lhs with the forward relation first. */
export function sidesOf(chunk: Chunk): readonly [Side, Side] {
  const { lhs, rhs, lhsCount, lhsCandidates, lhsMask, rhsCount, rhsCandidates, rhsMask } = chunk;
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
