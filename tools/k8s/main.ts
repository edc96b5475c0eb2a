// node tools/k8s/main.ts [--check]: writes the generated files of k8s/; with --check, names the files that are outdated.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../src/errors/errors.ts';
import { generated } from './generated.ts';

const root = join(import.meta.dirname, '..', '..');
const [option] = process.argv.slice(2);

try {
  if (option !== undefined && option !== '--check')
    throw new Error(`expected --check or nothing, seen ${option}`);
  for (const [path, text] of await generated(root)) {
    const there = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (there === text) continue;
    if (option === '--check') {
      console.error(`${path} is outdated; run: npm run k8s`);
      process.exitCode = 1;
    } else {
      await writeFile(join(root, path), text);
      console.log(`wrote ${path}`);
    }
  }
} catch (error) {
  console.error(reasonOf(error));
  process.exitCode = 2;
}
