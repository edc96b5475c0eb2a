// node tools/jars.ts [--check]: writes broker/jars.sha256, the jars of the project broker/pom.xml. Needs Maven.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { runCommand } from '../broker/process.ts';
import { writeGenerated } from './generated-files.ts';

/** A checksum and a path in each line, as sha256sum writes them; paths are those of a Maven repository. */
async function jars(root: string): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-jars-'));
  try {
    const options = [
      '-DincludeScope=runtime',
      '-Dmdep.useRepositoryLayout=true',
      `-DoutputDirectory=${folder}`,
    ];
    const goal = [
      '-q',
      '-B',
      '-f',
      join(root, 'broker', 'pom.xml'),
      'dependency:copy-dependencies',
      ...options,
    ];
    const { code, output } = await runCommand('mvn', goal, 300_000);
    if (code !== 0) throw new Error(`Maven could not resolve broker/pom.xml: ${output}`);
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const lines = await Promise.all(
      files
        .filter(({ name }) => name.endsWith('.jar'))
        .map(({ parentPath, name }) => join(parentPath, name))
        .map(async (path) => {
          const sha256 = createHash('sha256')
            .update(await readFile(path))
            .digest('hex');
          return `${sha256}  ${relative(folder, path)}\n`;
        }),
    );
    const byPath = (one: string, other: string) => (one.slice(66) < other.slice(66) ? -1 : 1);
    return new Map([['broker/jars.sha256', lines.sort(byPath).join('')]]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

await writeGenerated(jars, 'npm run jars');
