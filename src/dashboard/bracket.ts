/** Between which times something was, epoch ms: `from` absent where it was before all that is known, `to` where since. */
export interface Bracket {
  readonly from?: number;
  readonly to?: number;
}

/**
 * Between which of the points a graph came to `step`; empty where none knows a step.
 * points: oldest first. Where their steps fall, the graph is another from then on, and what was before says nothing of it.
 */
export function bracketOf(
  step: number,
  points: readonly { readonly at: number; readonly step: number | undefined }[],
): Bracket {
  let next: { readonly at: number; readonly step: number } | undefined;
  for (const { at, step: reached } of points.toReversed()) {
    if (reached === undefined) continue;
    if (next !== undefined && reached > next.step) break;
    if (reached < step) return next === undefined ? { from: at } : { from: at, to: next.at };
    next = { at, step: reached };
  }
  return next === undefined ? {} : { to: next.at };
}
