import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { json, type Place, refused, succeeded } from './captured.ts';
import { filledPlace } from './filled-place.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');
const configOf = (relations: readonly string[], shards: number) =>
  `export default ${JSON.stringify({ model: { dim: 8 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { relations, shards } } })};\n`;
const OLD = ['likes', 'retweets'];
const NEW = [...OLD, 'replies'];

let here: Place;
let child: ChildProcess;
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
    here = await filledPlace(configOf(OLD, shards));
    await writeFile(join(here.folder, 'new.config.ts'), configOf(NEW, shards));
    const [before, after] = [here.run, here.configured('new.config.ts')];
    await succeeded(after('replay', '--graph', 'engagement', '--into', 'wished'));

    child = spawn(process.execPath, [COMMAND, 'run', '--graph', 'engagement', '--http', 'off'], {
      env: {
        PATH: process.env['PATH'],
        KAFKA_BROKERS: `file:${join(here.folder, 'log')}`,
        TWHIN_STATE: join(here.folder, 'state'),
        TWHIN_CONFIG: join(here.folder, 'twhin.config.ts'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    await expect.poll(() => said.match(/leads the graph/g)?.length ?? 0).toBe(shards);

    await refused(
      after('promote', 'wished', '--graph', 'engagement'),
      1,
      /wished was not made the live store of engagement(-\d)?, and nothing has changed: the process that runs engagement(-\d)? was started with another model: relations: its live store has .*, this configuration .*replies.*Stop that process, give the command again, and start the process/,
    );
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
