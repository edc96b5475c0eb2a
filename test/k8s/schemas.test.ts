import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { configOf } from '../../src/config/load.ts';
import { manifestsOf } from './manifests-of.ts';
import { parseDocuments, ROOT, renderText, SKIPPED } from './rendered.ts';

/** The oldest and the newest tested version. */
const VERSIONS = ['1.32', '1.37'];
/** Kinds that are not part of Kubernetes and have no schema here; generated.test and selectors.test check them. */
const OTHERS = ['ServiceMonitor', 'PrometheusRule', 'KafkaTopic', 'KafkaUser'];
const VALIDATE = join(ROOT, '.twhin', 'venv', 'bin', 'kubernetes-validate');

const missing = !existsSync(VALIDATE) && process.env['CI'] !== 'true';
if (missing) console.warn('skipped: no schemas of Kubernetes are here; test/k8s/install.sh puts them there');

const graphs = { engagement: { shards: 3 } };
const cut = await manifestsOf(configOf({ topicPrefix: 'twhin.', graphs }, {}, '/srv'));

const scratch = mkdtempSync(join(tmpdir(), 'k8s-schemas-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The complaints of a version's schemas about manifests, one line each. */
function validate(version: string, text: string): { status: number | null; lines: string[] } {
  const file = join(scratch, 'manifests.yaml');
  writeFileSync(file, text);
  const args = ['--kubernetes-version', version, '--strict', file];
  const { error, status, stdout, stderr } = spawnSync(VALIDATE, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${VALIDATE}: ${error.message}; run test/k8s/install.sh`);
  return { status, lines: `${stdout}${stderr}`.trim().split('\n') };
}

describe.skipIf(SKIPPED || missing).each(VERSIONS)('Kubernetes %s', (version) => {
  test.each([
    ['dev', (folder: string) => folder],
    ['prod', (folder: string) => folder],
    ['dev with a cut graph', cut],
    ['prod with a cut graph', cut],
  ])('takes every resource of %s', (overlay, of) => {
    const text = renderText(of(`k8s/overlays/${overlay.split(' ')[0]}`));
    const { status, lines } = validate(version, text);
    expect([status, lines.filter((line) => line.startsWith('ERROR'))]).toEqual([0, []]);
    const passed = lines.filter(
      (line) => line.endsWith(`against version ${version}`) && line.includes(' passed '),
    );
    const own = parseDocuments(text).filter(({ kind }) => !OTHERS.includes(kind));
    expect(passed.length).toBe(own.length);
  });
});
