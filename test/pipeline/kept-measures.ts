import type { Measures } from '../../src/pipeline/measures.ts';

/** Keeps what it is told, a line each. */
export function keptMeasures(): Measures & { readonly told: string[] } {
  const told: string[] = [];
  const keep =
    (name: string) =>
    (...values: readonly unknown[]) => {
      told.push([name, ...values.map(textOf)].join(' '));
    };
  return {
    told,
    batch: keep('batch'),
    asked: keep('asked'),
    acknowledged: keep('acknowledged'),
    step: keep('step'),
    ranked: keep('ranked'),
    commit: keep('commit'),
    publish: keep('publish'),
    fresh: keep('fresh'),
  };
}

function textOf(value: unknown): string {
  if (value instanceof Map) return [...value].map((entry) => entry.join(':')).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : `${value}`;
}
