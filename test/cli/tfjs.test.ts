import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TFJS_FOLDER, TFJS_SKIPPED } from '../kernels/tfjs/installed.ts';
import { type Place, place } from './captured.ts';

const CONFIG =
  "export default () => ({ model: { dim: 8 }, limits: { maxEntities: 10_000 }, training: { kernel: 'tfjs' } });\n";

let here: Place;
beforeAll(async () => {
  here = await place();
  writeFileSync(join(here.folder, 'twhin.config.ts'), CONFIG);
  expect((await here.run('topics', 'apply')).code).toBe(0);
});
afterAll(() => here.remove());

test('without TensorFlow.js, doctor and run say what to install', async () => {
  const doctor = await here.run('doctor');
  expect(doctor.code).toBe(1);
  expect(doctor.out).toContainEqual(
    expect.stringMatching(/^FAIL {2}TensorFlow\.js .*npm install @tensorflow/),
  );
  const run = await here.run('run', '--until-caught-up', '--http', 'off');
  expect(run.code).toBe(2);
  expect(run.err.join('\n')).toMatch(/training\.kernel is tfjs, but .*npm install @tensorflow\/tfjs-node/);
});

test.skipIf(TFJS_SKIPPED)('where it is, doctor names it and its version', async () => {
  mkdirSync(join(here.folder, 'node_modules'));
  symlinkSync(
    join(TFJS_FOLDER, 'node_modules', '@tensorflow'),
    join(here.folder, 'node_modules', '@tensorflow'),
  );
  const { code, out } = await here.run('doctor');
  expect(out).toContainEqual(
    expect.stringMatching(/^ok {4}TensorFlow\.js +@tensorflow\/tfjs-node \d+\.\d+\.\d+$/),
  );
  expect(out).toContainEqual(expect.stringMatching(/kernel tfjs is tfjs, in a replay wasm-(plain|relaxed)/));
  expect(code).toBe(0);
});
