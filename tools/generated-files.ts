import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/**
 * Writes generated files, or with `--check` on the command line only names those that differ and exits with 1.
 * generate: gives every file's text by its path from the root. command: what a reader runs to write them.
 */
export async function writeGenerated(
  generate: (root: string) => ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>>,
  command: string,
): Promise<void> {
  const [option] = process.argv.slice(2);
  try {
    if (option !== undefined && option !== '--check')
      throw new Error(`expected --check or nothing, seen ${option}`);
    for (const [path, text] of await generate(ROOT)) {
      const current = await readFile(join(ROOT, path), 'utf8').catch(() => undefined);
      if (current === text) continue;
      if (option === '--check') {
        console.error(`${path} differs from its sources; run: ${command}`);
        process.exitCode = 1;
      } else {
        await writeFile(join(ROOT, path), text);
        console.log(`wrote ${path}`);
      }
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
