import type { Histogram, Meter, Observable } from '@opentelemetry/api';
import type { Histograms } from '../metrics/histograms.ts';
import type { MetricValues } from '../metrics/metrics.ts';

/** Metrics that are read when they are wanted, and histograms of which each value is told. */
export interface Exportable {
  readonly histograms: Pick<Histograms, 'all' | 'also'>;
  values(): Promise<readonly MetricValues[]>;
}

/** Puts every metric of the process into a meter, under the same name, labels, unit and bounds. */
export async function exportMetrics(meter: Meter, metrics: Exportable): Promise<void> {
  exportHistograms(meter, metrics.histograms);
  const observables = new Map<string, Observable>();
  for (const { name, help, type } of await metrics.values()) {
    const options = { description: help, unit: unitOf(name) };
    if (type === 'counter') observables.set(name, meter.createObservableCounter(name, options));
    if (type === 'gauge') observables.set(name, meter.createObservableGauge(name, options));
  }
  meter.addBatchObservableCallback(
    async (result) => {
      for (const { name, values } of await metrics.values()) {
        const observable = observables.get(name);
        if (observable === undefined) continue;
        for (const { labels, value } of values) result.observe(observable, value, labels);
      }
    },
    [...observables.values()],
  );
}

function exportHistograms(meter: Meter, histograms: Exportable['histograms']): void {
  const byName = new Map<string, Histogram>(
    histograms.all.map(({ name, help, buckets }) => [
      name,
      meter.createHistogram(name, {
        ...{ description: help, unit: unitOf(name) },
        advice: { explicitBucketBoundaries: [...buckets] },
      }),
    ]),
  );
  histograms.also((name, labels, value) => byName.get(name)?.record(value, labels));
}

/** As UCUM has it. */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 's';
  return name.endsWith('_bytes') ? 'By' : '1';
}
