import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError, reasonOf } from '../src/errors/errors.ts';
import { runCommand } from './process.ts';

/** A jar of a broker. */
export interface Jar {
  /** In the layout of a Maven repository: group, artifact, version and file. */
  readonly path: string;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

export interface FetchOptions {
  /** Folder of the jars; replaced as a whole. */
  readonly libs: string;
  readonly jars: readonly Jar[];
  /** The project whose dependencies the jars are. */
  readonly pom: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (line: string) => void;
  /** A jar that does not come in this time is asked for again. */
  readonly limitMs?: number;
}

const MAVEN = 'mvn';
const LIMIT_MS = 60_000;
const MAVEN_MS = 300_000;
const ATTEMPTS = 3;
const PAUSE_MS = 500;
const AT_ONCE = 4;
const PROGRESS_MS = 2_000;

/** The jars of a list as `npm run jars` writes it: a checksum and a path in each line. */
export function readJars(file: string): Jar[] {
  return [...readFileSync(file, 'utf8').matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)].map(
    ([, sha256 = '', path = '']) => ({ path, sha256 }),
  );
}

/**
 * Fetches the jars unless all are there: from the Maven repository that MAVEN_REPOSITORY names, else with Maven, else from
 * the mirror in Maven's settings. Each jar must have the checksum of the list. Gives the reason of a failure, or undefined.
 */
export async function fetchJars(options: FetchOptions): Promise<string | undefined> {
  const { libs, jars, pom, env, onProgress } = options;
  if (jars.every(({ path }) => existsSync(join(libs, basename(path))))) return undefined;
  const repository = await repositoryOf(env);
  if (repository === undefined) {
    return 'Maven is not installed, and MAVEN_REPOSITORY does not hold the URL of a Maven repository';
  }
  onProgress("fetching Apache Kafka's jars (54 MB, once)");
  // Written under another name and renamed, so that an interrupted fetch is never taken for a complete one.
  const aside = `${libs}.${process.pid}`;
  await mkdir(aside, { recursive: true });
  try {
    if (repository === MAVEN) await copyWithMaven(pom, aside);
    else await download(repository, aside, options);
    for (const { path, sha256 } of jars) {
      const seen = createHash('sha256')
        .update(await readFile(join(aside, basename(path))))
        .digest('hex');
      if (seen !== sha256) return `${path} has the SHA-256 ${seen}, and ${sha256} was expected`;
    }
    await rm(libs, { recursive: true, force: true });
    await rename(aside, libs);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** URL of the Maven repository to ask; MAVEN where Maven knows the repository. */
async function repositoryOf(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = env['MAVEN_REPOSITORY'];
  if (named !== undefined && named !== '') return named;
  if ((await runCommand('mvn', ['-v'], 20_000)).code === 0) return MAVEN;
  const settings = join(env['HOME'] ?? homedir(), '.m2', 'settings.xml');
  if (!existsSync(settings)) return undefined;
  const text = readFileSync(settings, 'utf8').replaceAll(/<!--.*?-->/gs, '');
  return [...text.matchAll(/<mirror>(.*?)<\/mirror>/gs)]
    .map(([, mirror = '']) => mirror)
    .filter((mirror) => /<mirrorOf>[^<]*(\*|\bcentral\b)[^<]*<\/mirrorOf>/.test(mirror))
    .map((mirror) => /<url>\s*(\S+?)\s*<\/url>/.exec(mirror)?.[1])
    .find((url) => url !== undefined);
}

async function copyWithMaven(pom: string, folder: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  const { code, output } = await runCommand('mvn', ['-q', '-B', '-f', pom, ...goal], MAVEN_MS);
  if (code !== 0) {
    throw new RetryableError('no-broker', `Maven could not fetch them: ${output.split('\n')[0]}`);
  }
}

/** Downloads the jars into a folder, some at once. @throws the first failure. */
async function download(
  repository: string,
  folder: string,
  { jars, onProgress, limitMs = LIMIT_MS }: FetchOptions,
): Promise<void> {
  const waiting = [...jars];
  let done = 0;
  const progress = setInterval(() => onProgress(`${done} of ${jars.length} jars`), PROGRESS_MS);
  const work = async (): Promise<void> => {
    for (let jar = waiting.pop(); jar !== undefined; jar = waiting.pop()) {
      const bytes = await get(`${repository.replace(/\/+$/, '')}/${jar.path}`, limitMs);
      await writeFile(join(folder, basename(jar.path)), bytes);
      done++;
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    waiting.length = 0;
    clearInterval(progress);
  }
}

/** @throws after some attempts; a refusal is not asked about again. */
async function get(url: string, limitMs: number): Promise<Buffer> {
  let why = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await sleep(attempt * PAUSE_MS * (1 + Math.random()));
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(limitMs) });
      if (response.ok) return Buffer.from(await response.arrayBuffer());
      why = `the server answers ${response.status}`;
      if (response.status < 500 && response.status !== 429) break;
    } catch (error) {
      // fetch itself says no more than that it failed.
      why = reasonOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
    }
  }
  throw new RetryableError('no-broker', `${url} can't be fetched: ${why}`);
}
