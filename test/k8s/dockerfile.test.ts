import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT } from './rendered.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
/** Instructions, one on each line, without comments. */
const lines = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '');
const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
const ignored = read('.dockerignore').split('\n');
const node24 = z
  .object({ optionalDependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('tools/node24/package.json')));

test('is built on the Node.js version of the project', () => {
  const [version] = new Set(Object.values(node24.optionalDependencies));
  expect(lines[0]).toBe(`ARG NODE_IMAGE=node:${version}-bookworm-slim`);
  const bases = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
  expect(bases.length).toBe(3);
  for (const base of bases) expect(base).toMatch(/^\$\{NODE_IMAGE\}$/);
});

test('runs without root, with the program as process 1 and no shell, which would not pass SIGTERM on', () => {
  expect(last).toEqual(
    expect.arrayContaining(['USER 1000:1000', 'ENTRYPOINT ["node", "/app/bin/twhin.js"]', 'CMD ["run"]']),
  );
});

test('has no development dependency', () => {
  const from = last.filter((line) => line.includes('node_modules'));
  expect(from).toEqual(['COPY --from=modules /app/node_modules ./node_modules']);
  const installs = lines.filter((line) => line.startsWith('RUN npm ci'));
  expect(installs.length).toBe(2);
  expect(installs[1]).toContain('--omit=dev');
});

test('copies only existing files that are not ignored', () => {
  expect(ignored[1]).toBe('*');
  const copied = lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
    .flatMap((line) => line.split(' ').slice(1, -1));
  expect(copied).toEqual(expect.arrayContaining(['package-lock.json', 'src', 'topics', 'bin', 'LICENSE']));
  for (const path of copied) {
    expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    expect(ignored).toContain(`!${path}`);
  }
});
