import { LOADED, OPENED } from '../../src/metrics/families.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { ServingMetrics } from '../../src/metrics/serving.ts';
import { routerOf, SERVED } from '../metrics/metrics-fixture.ts';
import { askedFor } from './promql.ts';
import type { Rule } from './shipped.ts';

/** The labels of every metric. */
export type Known = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels that a scraper adds. */
const TARGET = ['job', 'instance'];
/** Metrics of Prometheus itself. */
const OWN = { up: [], ALERTS: ['alertname', 'alertstate', 'severity'] };

/** All metrics of twhin by the names of their series; a histogram has the names of its parts. */
export async function told(): Promise<Known> {
  const known = new Map<string, Set<string>>();
  const metrics = new Metrics({
    version: '1',
    names: ['any'],
    graphs: () => [],
    routers: () => [routerOf()],
    clock: () => 0,
  });
  // A histogram has series and labels only after its first value.
  const measures = metrics.measuresOf('any');
  measures.batch?.(1);
  measures.step?.(1);
  measures.commit?.(1);
  measures.publish?.(1);
  measures.fresh?.(1, 1);
  const serving = new ServingMetrics('1', () => [SERVED]);
  serving.answered('/v1/similar', 200, 1);
  serving.visible('any', 1);
  const texts = [await metrics.render(), await serving.render()];
  const text = texts.join('');
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    known.set(name, new Set([...(known.get(name) ?? TARGET), ...names]));
  }
  for (const { name, labels } of [...LOADED, ...OPENED])
    known.set(name, new Set([...TARGET, 'graph', ...labels]));
  return known;
}

/** These metrics, Prometheus's own, and the recorded series. A recorded series has all labels of its expression. */
export async function known(rules: readonly Rule[]): Promise<Known> {
  const all = new Map(await told());
  for (const [name, labels] of Object.entries(OWN)) all.set(name, new Set([...TARGET, ...labels]));
  for (const { record, expr } of rules) {
    if (record === undefined) continue;
    const sources = [...askedFor(expr).metrics.keys()];
    all.set(record, new Set(sources.flatMap((name) => [...(all.get(name) ?? [])])));
  }
  return all;
}

/** Metrics and labels of an expression that do not exist, one line each. spoken: labels named by the texts of the rule. */
export function unknown(expr: string, all: Known, spoken: readonly string[] = []): string[] {
  const { metrics, labels } = askedFor(expr);
  const none: ReadonlySet<string> = new Set();
  const missing = [...metrics.keys()].filter((name) => !all.has(name));
  const unmatched = [...metrics].flatMap(([name, matchers]) =>
    matchers.filter((label) => !all.get(name)?.has(label)).map((label) => `${name}{${label}}`),
  );
  const there = new Set([...metrics.keys()].flatMap((name) => [...(all.get(name) ?? none)]));
  return [...missing, ...unmatched, ...[...labels, ...spoken].filter((label) => !there.has(label))];
}
