import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchJars, type Jar, readJars } from '../../broker/jars.ts';
import { freshFolder } from '../fresh-folder.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Checksums of `printf one | sha256sum` | sha256sum`, and of two. */
const JARS: Jar[] = [
  {
    path: 'org/a/one/1.0/one-1.0.jar',
    sha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed',
  },
  {
    path: 'org/b/two/2.0/two-2.0.jar',
    sha256: '3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3',
  },
];
const CONTENT: Record<string, string> = {
  '/repo/org/a/one/1.0/one-1.0.jar': 'one',
  '/repo/org/b/two/2.0/two-2.0.jar': 'two',
};

let folder: string;
let libs: string;
let url: string;
const asked: string[] = [];
/** Answers before the server does, until there are none left. */
let first: ((response: ServerResponse) => void)[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  const answer = first.shift();
  if (answer !== undefined) return void answer(response);
  const content = CONTENT[request.url ?? ''];
  response.writeHead(content === undefined ? 404 : 200).end(content);
});

beforeEach(async () => {
  folder = await freshFolder();
  libs = join(folder, 'kafka', 'libs');
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/repo`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  asked.length = 0;
  first = [];
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

function fetched(env: NodeJS.ProcessEnv = { MAVEN_REPOSITORY: `${url}/` }, jars = JARS, limitMs = 60_000) {
  const pom = join(folder, 'pom.xml');
  return fetchJars({ libs, jars, pom, env: { HOME: folder, ...env }, onProgress: () => undefined, limitMs });
}

const whole = async (): Promise<void> => {
  expect((await readdir(libs)).sort()).toEqual(['one-1.0.jar', 'two-2.0.jar']);
  expect(await readFile(join(libs, 'one-1.0.jar'), 'utf8')).toBe('one');
  expect(await readdir(join(folder, 'kafka'))).toEqual(['libs']);
};
const nothing = async (): Promise<void> => expect(await readdir(join(folder, 'kafka'))).toEqual([]);

describe('jars of a list', () => {
  test('are fetched from the repository that MAVEN_REPOSITORY names, once', async () => {
    expect(await fetched()).toBeUndefined();
    await whole();
    expect(asked.sort()).toEqual(Object.keys(CONTENT));
    expect(await fetched()).toBeUndefined();
    expect(asked).toHaveLength(2);
  });

  test('take the place of those of another version', async () => {
    await mkdir(libs, { recursive: true });
    await writeFile(join(libs, 'one-0.9.jar'), 'old');
    expect(await fetched()).toBeUndefined();
    await whole();
  });

  test('with another checksum are named, and none is left', async () => {
    const [one, two] = JARS;
    const forged = [one!, { path: two!.path, sha256: one!.sha256 }];
    expect(await fetched(undefined, forged)).toBe(
      `${two!.path} has the SHA-256 ${two!.sha256}, and ${one!.sha256} was expected`,
    );
    await nothing();
  });

  test('are asked for again after a server error, a cut connection and silence', async () => {
    first = [(response) => response.writeHead(503).end(), (response) => response.destroy(), () => undefined];
    expect(await fetched(undefined, JARS, 500)).toBeUndefined();
    await whole();
    expect(asked).toHaveLength(5);
  });

  test('that a repository does not have are named, and not asked for again', async () => {
    const absent = { path: 'org/c/three/3.0/three-3.0.jar', sha256: '0'.repeat(64) };
    expect(await fetched(undefined, [absent])).toBe(
      `${url}/${absent.path} can't be fetched: the server answers 404`,
    );
    expect(asked).toHaveLength(1);
    await nothing();
  });

  test('are fetched from the mirror of Maven’s settings where Maven is not installed', async () => {
    vi.stubEnv('PATH', folder);
    await mkdir(join(folder, '.m2'));
    const mirror = (of: string, at: string) => `<mirror><mirrorOf>${of}</mirrorOf><url>${at}</url></mirror>`;
    const mirrors = `<!-- ${mirror('*', 'http://127.0.0.1:1')} -->${mirror('other', 'http://127.0.0.1:1')}${mirror('central', url)}`;
    await writeFile(
      join(folder, '.m2', 'settings.xml'),
      `<settings><mirrors>${mirrors}</mirrors></settings>`,
    );
    expect(await fetched({})).toBeUndefined();
    await whole();
  });

  test('without Maven, a mirror and MAVEN_REPOSITORY, what to set is said', async () => {
    vi.stubEnv('PATH', folder);
    expect(await fetched({})).toBe(
      'Maven is not installed, and MAVEN_REPOSITORY does not hold the URL of a Maven repository',
    );
    expect(existsSync(join(folder, 'kafka'))).toBe(false);
  });
});

test('the list is of the versions that broker/pom.xml names', async () => {
  const pom = await readFile(join(ROOT, 'broker', 'pom.xml'), 'utf8');
  const version = (of: string) => new RegExp(`<${of}.version>([^<]+)<`).exec(pom)?.[1];
  const [kafka, log4j] = [version('kafka'), version('log4j')];
  const paths = readJars(join(ROOT, 'broker', 'jars.sha256')).map(({ path }) => path);
  expect(paths).toContain(`org/apache/kafka/kafka-server/${kafka}/kafka-server-${kafka}.jar`);
  expect(paths).toContain(`org/apache/logging/log4j/log4j-core/${log4j}/log4j-core-${log4j}.jar`);
  expect(
    paths.filter((path) => path.startsWith('org/apache/kafka/') && !path.includes(`/${kafka}/`)),
  ).toEqual([]);
});
