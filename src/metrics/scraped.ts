import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number | undefined];

/** A metric whose samples each scrape reads from a state of a graph. Every sample also has the label `graph`. */
export interface Family<S> {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  /** A sample without a value is left out. */
  samples(state: S): readonly Sample[];
}

type Value<S> = (state: S) => number | undefined;
type Many<S> = (name: string, help: string, labels: string[], samples: Family<S>['samples']) => Family<S>;
type One<S> = (name: string, help: string, value: Value<S>) => Family<S>;

/** What makes the families of a table: `counter` and `gauge` have no other label than `graph`. */
export function familiesOf<S>(): { counter: One<S>; gauge: One<S>; counters: Many<S>; gauges: Many<S> } {
  const many =
    (kind: 'counter' | 'gauge'): Many<S> =>
    (name, help, labels, samples) => ({ name, help, kind, labels, samples });
  const one =
    (kind: 'counter' | 'gauge'): One<S> =>
    (name, help, value) =>
      many(kind)(name, help, [], (state) => [[{}, value(state)]]);
  return { counter: one('counter'), gauge: one('gauge'), counters: many('counter'), gauges: many('gauge') };
}

/** One sample for each name; the name is the value of the label. */
export function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

/** A table of metrics in a registry. Gives what replaces the samples by those of these states, by graph, before each scrape. */
export function scraped<S>(registry: Registry, families: readonly Family<S>[]) {
  const metrics = families.map((family) => {
    const { name, help, labels } = family;
    const options = { name, help, labelNames: ['graph', ...labels], registers: [registry] };
    return { family, metric: family.kind === 'counter' ? new Counter(options) : new Gauge(options) };
  });
  return (states: readonly (readonly [graph: string, state: S])[]): void => {
    for (const { family, metric } of metrics) {
      metric.reset();
      for (const [graph, state] of states)
        for (const [labels, value] of family.samples(state))
          if (value !== undefined) metric.inc({ graph, ...labels }, value);
    }
  };
}

/** Adds the metrics of the process, under the names that every dashboard of Node.js knows, and the version. */
export function addProcess(registry: Registry, version: string): void {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'twhin_build_info',
    help: 'Always 1; the labels name the version and the version of Node.js.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1);
}
