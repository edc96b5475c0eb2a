import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Place, place } from './captured.ts';

const AT = 1_704_067_200_000;
export const CONFIG = 'export default () => ({ model: { dim: 8 }, limits: { maxEntities: 10_000 } });\n';

/** A place where a stream of 301 events was fed and read: 40 users, 17 tweets. */
export async function filledPlace(): Promise<Place> {
  const made = await place();
  await writeFile(join(made.folder, 'twhin.config.ts'), CONFIG);
  const events = Array.from({ length: 300 }, (_, i) => ({
    ...{ userId: `u${i % 40}`, tweetId: `t${i % 17}`, action: i % 9 ? 'like' : 'retweet', at: AT + i },
  }));
  events.push({ userId: 'u1', tweetId: 't1', action: 'unlike', at: AT + 900 });
  await writeFile(
    join(made.folder, 'events.ndjson'),
    events.map((event) => `${JSON.stringify(event)}\n`).join(''),
  );
  for (const argv of [
    ['topics', 'apply'],
    ['feed', join(made.folder, 'events.ndjson'), '--topic', 'engagement'],
    ['run', '--graph', 'engagement', '--until-caught-up'],
  ]) {
    expect([argv, (await made.run(...argv)).code]).toEqual([argv, 0]);
  }
  return made;
}

/** Another place with the same log and no store. */
export async function emptyPlace(here: Place, config = CONFIG): Promise<Place> {
  const made = await place();
  await writeFile(join(made.folder, 'twhin.config.ts'), config);
  await cp(join(here.folder, 'log'), join(made.folder, 'log'), { recursive: true });
  return made;
}
