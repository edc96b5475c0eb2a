import { FAMILIES } from '../../src/metrics/families.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { askedFor } from './promql.ts';
import type { Rule } from './shipped.ts';

/** Of every metric, its labels. */
export type Known = ReadonlyMap<string, ReadonlySet<string>>;

/** What a scraper adds to all it reads. */
const TARGET = ['job', 'instance'];
/** What Prometheus knows by itself. */
const OWN = { up: [], ALERTS: ['alertname', 'alertstate', 'severity'] };

/** All that twhin tells, by the names that can be asked for: of a histogram its parts, not itself. */
export async function told(): Promise<Known> {
  const known = new Map<string, Set<string>>();
  const metrics = new Metrics({ version: '1', names: [], graphs: () => [], clock: () => 0 });
  // What is measured as it goes has labels, and in part a name, only once there is something to tell.
  const measures = metrics.measuresOf('any');
  measures.batch(1, 1);
  measures.step(1);
  measures.commit(1, 1, { records: 1, vectors: 1 });
  measures.publish(1, 1, new Map());
  measures.fresh(1, 1);
  const text = await metrics.render();
  metrics.stop();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label);
    known.set(name, new Set([...(known.get(name) ?? TARGET), ...names]));
  }
  for (const { name, labels } of FAMILIES) known.set(name, new Set([...TARGET, 'graph', ...labels]));
  return known;
}

/** Those, Prometheus's own, and what the rules record. A recorded one is taken to have all labels it is made of. */
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

/** What an expression asks for that there is not, a line each; `spoken`: labels that texts beside it name. */
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
