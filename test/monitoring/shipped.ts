import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const ROOT = join(import.meta.dirname, '..', '..');
export const MONITORING = join(ROOT, 'monitoring');
export const RULE_FILES = ['recording.yaml', 'alerts.yaml'];

const rule = z.strictObject({
  record: z.string().optional(),
  alert: z.string().optional(),
  expr: z.string().min(1),
  for: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
});
export type Rule = z.infer<typeof rule>;

const ruleFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })),
});
const testFile = z.looseObject({
  tests: z.array(
    z.looseObject({
      name: z.string(),
      alert_rule_test: z
        .array(z.looseObject({ alertname: z.string(), exp_alerts: z.array(z.unknown()).default([]) }))
        .default([]),
    }),
  ),
});
const target = z.looseObject({
  refId: z.string(),
  expr: z.string(),
  legendFormat: z.string().optional(),
  format: z.string().optional(),
});
const panel = z.looseObject({
  id: z.int(),
  type: z.string(),
  title: z.string(),
  description: z.string().default(''),
  gridPos: z.strictObject({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  datasource: z.strictObject({ type: z.string(), uid: z.string() }).optional(),
  fieldConfig: z.looseObject({ defaults: z.looseObject({ unit: z.string().optional() }) }).optional(),
  targets: z.array(target).default([]),
});
export type Panel = z.infer<typeof panel>;
const dashboardFile = z.looseObject({
  __inputs: z.array(z.looseObject({ name: z.string(), type: z.string(), pluginId: z.string() })),
  templating: z.object({ list: z.array(z.looseObject({ name: z.string(), definition: z.string() })) }),
  annotations: z.object({ list: z.array(z.looseObject({ expr: z.string() })) }),
  panels: z.array(panel),
});

const read = (name: string): string => readFileSync(join(MONITORING, name), 'utf8');

/** Recording rules and alerts, in the order of their evaluation. */
export function rules(): Rule[] {
  return RULE_FILES.flatMap((name) =>
    ruleFile.parse(parse(read(name))).groups.flatMap((group) => group.rules),
  );
}

export function alerts(): (Rule & { readonly alert: string })[] {
  return rules().flatMap(({ alert, ...rest }) => (alert === undefined ? [] : [{ alert, ...rest }]));
}

/** Paths of the files for `promtool test rules`. */
export function testFiles(): string[] {
  return readdirSync(join(MONITORING, 'tests')).map((name) => join('tests', name));
}

/** For each alert in the tests: whether a test sees it firing, and whether a test sees it not firing. */
export function tried(): Map<string, { fires: boolean; holds: boolean }> {
  const all = new Map<string, { fires: boolean; holds: boolean }>();
  for (const file of testFiles()) {
    const tests = testFile.parse(parse(read(file))).tests.flatMap((each) => each.alert_rule_test);
    for (const { alertname, exp_alerts } of tests) {
      const seen = all.get(alertname) ?? { fires: false, holds: false };
      const fires = exp_alerts.length > 0;
      all.set(alertname, { fires: seen.fires || fires, holds: seen.holds || !fires });
    }
  }
  return all;
}

export function dashboard(): z.infer<typeof dashboardFile> {
  return dashboardFile.parse(JSON.parse(read('grafana-dashboard.json')));
}

/** All panels except the rows, which are headings. */
export function shown(): Panel[] {
  return dashboard().panels.filter(({ type }) => type !== 'row');
}

/** The shipped example configuration. */
export function prometheusConfig(): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(parse(read('prometheus.yaml')));
}
