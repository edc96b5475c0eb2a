import type { Measures } from '../../src/pipeline/measures.ts';

/** Keeps what it is told, a line each. */
export function keptMeasures(): Measures & { readonly told: string[] } {
  const told: string[] = [];
  const keep =
    (name: string) =>
    (...values: readonly unknown[]) => {
      told.push([name, ...values].join(' '));
    };
  return {
    told,
    batch: keep('batch'),
    step: keep('step'),
    ranked: keep('ranked'),
    commit: keep('commit'),
    publish: keep('publish'),
    fresh: keep('fresh'),
  };
}
