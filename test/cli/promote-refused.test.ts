import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { json, type Place, place, type Said } from './captured.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');
const AT = 1_704_067_200_000;
const text = ({ out, err }: Said) => [...out, ...err].join('\n');
const configOf = (relations: readonly string[], shards: number) =>
  `export default ${JSON.stringify({ model: { dim: 8 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { relations, shards } } })};\n`;
const OLD = ['likes', 'retweets'];
const NEW = [...OLD, 'replies'];

let here: Place;
let child: ChildProcess;
beforeEach(async () => {
  here = await place();
});
afterEach(async () => {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  await here.remove();
});

test.each([
  ['of a graph', 1],
  ['of shards', 2],
])(
  'a store that the running updater %s is not configured for is refused, and nothing ends',
  async (_, shards) => {
    await writeFile(join(here.folder, 'old.config.ts'), configOf(OLD, shards));
    await writeFile(join(here.folder, 'new.config.ts'), configOf(NEW, shards));
    const [before, after] = [here.configured('old.config.ts'), here.configured('new.config.ts')];
    const like = (i: number) => ({ userId: `u${i % 40}`, tweetId: `t${i % 17}`, action: 'like', at: AT + i });
    const lines = Array.from({ length: 200 }, (_, i) => `${JSON.stringify(like(i))}\n`);
    await writeFile(join(here.folder, 'events.ndjson'), lines);
    for (const argv of [
      ['topics', 'apply'],
      ['feed', join(here.folder, 'events.ndjson'), '--topic', 'engagement'],
      ['run', '--graph', 'engagement', '--until-caught-up'],
    ]) {
      const said = await before(...argv);
      expect([argv, said.code, said.code === 0 ? '' : text(said)]).toEqual([argv, 0, '']);
    }
    const replayed = await after('replay', '--graph', 'engagement', '--into', 'wished');
    expect([replayed.code, replayed.code === 0 ? '' : text(replayed)]).toEqual([0, '']);

    child = spawn(process.execPath, [COMMAND, 'run', '--graph', 'engagement', '--http', 'off'], {
      env: {
        PATH: process.env['PATH'],
        KAFKA_BROKERS: `file:${join(here.folder, 'log')}`,
        TWHIN_STATE: join(here.folder, 'state'),
        TWHIN_CONFIG: join(here.folder, 'old.config.ts'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    await expect.poll(() => said.match(/leads the graph/g)?.length ?? 0).toBe(shards);

    const refused = await after('promote', 'wished', '--graph', 'engagement');
    expect([refused.code, text(refused)]).toEqual([
      1,
      expect.stringMatching(
        /wished was not made the live store of engagement(-\d)?, and nothing has changed: the process that runs engagement(-\d)? was started with another model: relations: its live store has .*, this configuration .*replies.*Stop that process, give the command again, and start the process/,
      ),
    ]);
    expect(child.exitCode).toBeNull();
    const stores = Object.values(Object(json(await before('stats', '--json'))).graphs).map(
      (each) => Object(each).store,
    );
    expect(stores.filter((store) => store === 'main')).toHaveLength(shards);
    expect(stores).not.toContain('wished');
    // It goes on: what is fed now is learned.
    const consumed = async () => {
      const { graphs } = Object(json(await before('stats', '--graph', 'engagement', '--json')));
      return Object.values(graphs).map((each) => Object(each).events.consumed);
    };
    const learnsOn = async () => {
      const earlier = await consumed();
      await before('feed', join(here.folder, 'events.ndjson'), '--topic', 'engagement');
      await expect.poll(async () => (await consumed()).every((now, i) => now > earlier[i])).toBe(true);
    };
    await learnsOn();
    // Not even where a store that it can't run is named the live one behind the command's back.
    for (const index of shards === 1 ? [''] : ['-0', '-1']) {
      const live = { live: 'wished', previous: 'main', since: new Date().toISOString() };
      await writeFile(join(here.folder, `state/engagement${index}/live.json`), JSON.stringify(live));
    }
    const refusals = () => said.match(/the live store can not be run here/g)?.length ?? 0;
    await expect.poll(refusals).toBe(shards);
    expect(said).toMatch(/"reason":"it is of another model: relations: the store has .*replies/);
    expect([(await before('promote', 'main', '--graph', 'engagement')).code, child.exitCode]).toEqual([
      0,
      null,
    ]);
    await learnsOn();
    expect(refusals()).toBe(shards);
  },
);
