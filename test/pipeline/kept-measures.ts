import type { Measures } from '../../src/pipeline/measures.ts';

/** Keeps what it is told, a line each. */
export function keptMeasures(): Measures & { readonly told: string[] } {
  const told: string[] = [];
  const keep =
    (name: string) =>
    (...values: readonly number[]) => {
      told.push([name, ...values].join(' '));
    };
  return {
    told,
    batch: keep('batch'),
    step: keep('step'),
    commit: keep('commit'),
    publish: keep('publish'),
    fresh: keep('fresh'),
  };
}
