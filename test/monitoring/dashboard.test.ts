import { beforeAll, describe, expect, test } from 'vitest';
import { type Known, known, told, unknown } from './known-metrics.ts';
import { askedFor, filled } from './promql.ts';
import { dashboard, rules, shown } from './shipped.ts';

let all: Known;
beforeAll(async () => {
  all = await known(rules());
});

/** Grafana replaces this text by the data source chosen at the import. */
const SOURCE = `$\{DS_PROMETHEUS}`;
const spoken = (legend: string) => [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);

describe('dashboard', () => {
  test('asks for the data source at the import, and then for the graph', () => {
    const { __inputs, templating } = dashboard();
    expect(__inputs).toMatchObject([{ name: 'DS_PROMETHEUS', type: 'datasource', pluginId: 'prometheus' }]);
    expect(templating.list.map(({ name }) => name)).toContain('graph');
    const uids = JSON.stringify(dashboard()).match(/"uid":"[^"]*"/g) ?? [];
    expect(new Set(uids)).toEqual(new Set(['"uid":"twhin-stream"', `"uid":"${SOURCE}"`]));
  });

  test('has unique panels that do not overlap', () => {
    const { panels } = dashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(shown().map(({ title }) => title)).size).toBe(shown().length);
    const fields = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(fields).size).toBe(fields.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });

  test.each(shown().map((panel) => [panel.title, panel] as const))(
    '%s has a description, a unit, and queries of existing metrics',
    (_, { description, fieldConfig, datasource, targets }) => {
      expect(description).toMatch(/^[A-Z].{20,}\.$/s);
      expect(fieldConfig?.defaults.unit).toMatch(/^[a-z_]+$/);
      expect(datasource).toEqual({ type: 'prometheus', uid: SOURCE });
      expect(targets.length).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { expr, legendFormat = '', format } of targets) {
        expect(expr.trim()).not.toBe('');
        expect(unknown(filled(expr), all, spoken(legendFormat))).toEqual([]);
        expect([expr, legendFormat !== '']).toEqual([expr, format !== 'table']);
      }
    },
  );

  test('shows only the chosen graphs', () => {
    const careless = shown().flatMap(({ targets }) =>
      targets.filter(({ expr }) => {
        const [first] = [...askedFor(filled(expr)).metrics.keys()];
        return all.get(first ?? '')?.has('graph') && !expr.includes('graph=~"$graph"');
      }),
    );
    expect(careless).toEqual([]);
  });

  test('shows every metric of twhin, directly or through a rule', async () => {
    const panels = shown().flatMap(({ targets }) => targets.map(({ expr }) => filled(expr)));
    const recorded = rules().flatMap(({ record, expr }) =>
      panels.some((panel) => askedFor(panel).metrics.has(record ?? '')) ? [expr] : [],
    );
    const asked = new Set([...panels, ...recorded].flatMap((expr) => [...askedFor(expr).metrics.keys()]));
    const missing = [...(await told()).keys()].filter(
      (name) => name.startsWith('twhin_') && !asked.has(name),
    );
    // Panels show the buckets of a histogram, because a mean hides the slow cases.
    expect(missing.filter((name) => !/_seconds_(sum|count)$/.test(name))).toEqual([]);
  });

  test('fills its variables from existing metrics', () => {
    for (const { definition } of dashboard().templating.list) {
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
      expect([definition, all.get(metric)?.has(label)]).toEqual([definition, true]);
    }
  });
});
