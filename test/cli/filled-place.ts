import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type Place, place, succeeded } from './captured.ts';

const AT = 1_704_067_200_000;
export const CONFIG = 'export default () => ({ model: { dim: 8 }, limits: { maxEntities: 10_000 } });\n';
/** {@link CONFIG}, and its graph in shards. */
export const shardedConfig = (shards: number): string =>
  `export default { model: { dim: 8 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { shards: ${shards} }, follow: {} } };\n`;

const originals = new Map<string, Promise<Files>>();

/** A place where a stream of 301 events was fed and read: 40 users, 17 tweets. A copy of what is made once. */
export async function filledPlace(config = CONFIG): Promise<Place> {
  const original = originals.get(config) ?? filled(config);
  originals.set(config, original);
  const [files, copy] = [await original, await place()];
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(copy.folder, path)), { recursive: true });
    await writeFile(join(copy.folder, path), bytes);
  }
  return copy;
}

/** Bytes by path from the place's folder. */
type Files = ReadonlyMap<string, Buffer>;

/** Makes the topics of a place, and feeds lines of `engagement` to it that its graph reads. */
export async function fill(at: Place, lines: readonly string[], ...options: string[]): Promise<void> {
  const file = join(at.folder, 'events.ndjson');
  await writeFile(
    file,
    lines.map((line) => `${line}\n`),
  );
  await succeeded(at.run('topics', 'apply'));
  await succeeded(at.run('feed', file, '--topic', 'engagement', ...options));
  await succeeded(at.run('run', '--graph', 'engagement', '--until-caught-up'));
}

async function filled(config: string): Promise<Files> {
  const made = await place();
  await writeFile(join(made.folder, 'twhin.config.ts'), config);
  const events = Array.from({ length: 300 }, (_, i) => ({
    ...{ userId: `u${i % 40}`, tweetId: `t${i % 17}`, action: i % 9 ? 'like' : 'retweet', at: AT + i },
  }));
  events.push({ userId: 'u1', tweetId: 't1', action: 'unlike', at: AT + 900 });
  await fill(
    made,
    events.map((event) => JSON.stringify(event)),
  );
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(made.folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(relative(made.folder, path), await readFile(path));
  }
  await made.remove();
  return files;
}

/** Another place with the same log and no store. */
export async function emptyPlace(here: Place, config = CONFIG): Promise<Place> {
  const made = await place();
  await writeFile(join(made.folder, 'twhin.config.ts'), config);
  await cp(join(here.folder, 'log'), join(made.folder, 'log'), { recursive: true });
  return made;
}
