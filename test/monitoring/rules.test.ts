import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { freshFolder } from '../fresh-folder.ts';
import { type Known, known, unknown } from './known-metrics.ts';
import { promtool, there } from './prometheus.ts';
import { filled } from './promql.ts';
import { alerts, dashboard, ROOT, RULE_FILES, rules, shown, testFiles, tried } from './shipped.ts';

let all: Known;
beforeAll(async () => {
  all = await known(rules());
});

/** Labels that a template of Prometheus names. */
const spoken = (text: string) => [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
/** GitHub's anchor of a heading. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

describe('rules', () => {
  test.each(rules().map((rule) => [rule.record ?? rule.alert, rule] as const))(
    '%s asks for what there is',
    (_, { expr, annotations }) => {
      expect(unknown(expr, all, Object.values(annotations).flatMap(spoken))).toEqual([]);
    },
  );

  test('the check finds an unknown metric, matcher, kept label and named label', () => {
    expect(unknown('sum by (nope) (twhin_rows{relation="x"}) + twhin_gone', all, ['topic'])).toEqual([
      'twhin_gone',
      'twhin_rows{relation}',
      'nope',
      'topic',
    ]);
    // A histogram has no value of its own.
    expect(unknown('twhin_step_duration_seconds', all)).toEqual(['twhin_step_duration_seconds']);
  });

  test('have unique names', () => {
    const names = rules().map(({ record, alert }) => record ?? alert);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('alerts', () => {
  const runbook = readFileSync(join(ROOT, 'docs', 'runbook.md'), 'utf8');
  const sections = new Map(
    runbook.split(/^#{2,3} /m).map((section) => {
      const [heading = '', ...text] = section.split('\n');
      return [anchor(heading), text.join('\n').trim()] as const;
    }),
  );

  test.each(alerts().map((alert) => [alert.alert, alert] as const))(
    '%s says how bad it is, what it means and what to do',
    (name, { labels, annotations, ...alert }) => {
      expect(name).toMatch(/^Twhin[A-Z]/);
      expect(alert.for).toMatch(/^\d+[mh]$/);
      expect(labels).toEqual({ severity: expect.stringMatching(/^(warning|critical)$/) });
      expect(Object.keys(annotations).sort()).toEqual(['description', 'runbook', 'summary']);
      expect(`${annotations['summary']}${annotations['description']}`).toContain('$value');
      expect(annotations['runbook']).toBe(`docs/runbook.md#${name.toLowerCase()}`);
      const section = sections.get(name.toLowerCase());
      expect(section, `docs/runbook.md has no section ${name}`).toBeDefined();
      expect(section).toMatch(/^\*\*Wake somebody\*\*/m);
    },
  );

  test('and every alert section has its alert', () => {
    const told = [...runbook.matchAll(/^### (Twhin\w+)$/gm)].map(([, name]) => name);
    expect(told.sort()).toEqual(
      alerts()
        .map(({ alert }) => alert)
        .sort(),
    );
  });

  test('are each tested firing and not firing', () => {
    const wanted = alerts().map(({ alert }) => [alert, { fires: true, holds: true }] as const);
    expect(Object.fromEntries(tried())).toEqual(Object.fromEntries(wanted));
  });
});

describe.skipIf(!there('promtool'))(`promtool (${there.how})`, () => {
  test('accepts the rules', () => promtool('check', 'rules', ...RULE_FILES));
  test('accepts the configuration', () => promtool('check', 'config', 'prometheus.yaml'));
  test.each(testFiles())('sees the rules do as %s says', (file) => promtool('test', 'rules', file), 60_000);

  test('accepts every expression of the dashboard', async () => {
    const folder = await freshFolder();
    const panels = shown().flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const marks = dashboard().annotations.list.map(({ expr }) => expr);
    const group = [...panels, ...marks].map((expr, at) => ({ record: `panel:${at}`, expr: filled(expr) }));
    const path = join(folder, 'dashboard.yaml');
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules: group }] }));
    promtool('check', 'rules', path);
  });
});
