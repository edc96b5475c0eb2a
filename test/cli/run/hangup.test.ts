import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { status } from '../../../src/adapters/http/status.ts';
import { readStore } from '../../e2e/stored.ts';
import { SMALL, Twhin, until } from '../../e2e/twhin.ts';

const GRAPH = ['--graph', 'follow'];
const USERS = 20;
/** Vectors go out when they are new and never again, however they move. */
const ONCE = 'epsilon: 1e9, maxAgeMs: 1e9';

let twhin: Twhin | undefined;
let logs: string | undefined;
afterEach(async () => {
  await twhin?.remove();
  if (logs !== undefined) await rm(logs, { recursive: true, force: true });
  twhin = undefined;
});

/** Edges between the same users, other ones each round. */
const follows = (round: number) =>
  Array.from({ length: USERS }, (_, i) => ({
    ...{ followerId: `u${i}`, followedId: `u${(i + round) % USERS}`, action: 'follow' },
    at: 1_700_000_000_000 + round * 100 + i,
  }));

/** A process that follows the graph on a log of files, and what it says and shows of itself. */
async function running(config: string) {
  logs = await mkdtemp(join(tmpdir(), 'twhin-log-'));
  const here = await Twhin.create(`file:${logs}`, config);
  twhin = here;
  await here.ok(['topics', 'apply']);
  const run = here.start(['run', ...GRAPH, '--http', '127.0.0.1:0']);
  const url = await run.url();
  const now = async () => status.parse(await (await fetch(`${url}/api/status`)).json());
  let rounds = 0;
  return {
    ...{ here, run, url, now },
    published: async () => (await now()).graphs[0]?.published,
    /** One more round, until it is trained and in a commit. */
    train: async () => {
      await here.feed('follow', follows(++rounds));
      const committed = async () => (await readStore(here, 'follow')).head?.events.consumed;
      await until(`round ${rounds} is committed`, async () => (await committed()) === rounds * USERS);
    },
    /** Has it read another configuration, and waits until it says what is expected of it. */
    reload: async (inside: string, says: RegExp) => {
      await writeFile(here.env['TWHIN_CONFIG'] ?? '', `export default (k) => ({ ${inside} });\n`);
      run.kill('SIGHUP');
      await run.says(says);
    },
  };
}

test('SIGHUP applies the changes that can count at once, names the rest, and survives a broken file', async () => {
  const { run, url, now, published, train, reload } = await running(`${SMALL} publish: { ${ONCE} }`);
  // Its stores are not open yet: it is kept until they are.
  run.kill('SIGHUP');
  await run.says(/read again: nothing has changed/);
  await train();
  await until('each new vector is published', async () => (await published()) === USERS);
  await train();

  await reload(
    `${SMALL} publish: { epsilon: 0, maxAgeMs: 1e9 }`,
    /applied: publish\.epsilon: 1000000000 → 0"/,
  );
  expect(await published()).toBe(USERS);
  await train();
  await until('each vector that moved is published', async () => ((await published()) ?? 0) >= 2 * USERS);

  const quiet = `${SMALL} publish: { epsilon: 0, maxAgeMs: 1e9 }, log: { level: 'warn' }`;
  await reload(quiet, /applied: log\.level: \\"info\\" → \\"warn\\"/);
  await reload(
    `model: { dim: 32 }, ${quiet.slice(quiet.indexOf('limits'))}, commit: { everyMs: 300 }`,
    /"level":40,.*needs a new store: model\.dim: 16 → 32; a restart/,
  );
  await reload('publish: { epsilon: -1 }, limits: { stopMs: 0 }', /read again and refused/);
  const refusal = run.stderr.split('\n').find((line) => line.includes('read again and refused'));
  expect(JSON.parse(refusal ?? '').reason).toMatch(
    /^the configuration has 2 problems; nothing was changed:\n.*seen -1\n.*seen 0$/,
  );
  expect((await now()).faults.map(({ text }) => text.split(':')[0])).toEqual([
    'configuration needs a new store',
    'the configuration was read again and refused; the one before stays',
  ]);
  // Applied, and not worth a line at that level.
  expect(run.stderr).not.toContain('commit.everyMs');
  const counted = await (await fetch(`${url}/metrics`)).text();
  expect(counted.match(/^twhin_config_reloads_total.*$/gm)).toEqual([
    'twhin_config_reloads_total{result="applied"} 3',
    'twhin_config_reloads_total{result="refused"} 1',
    'twhin_config_reloads_total{result="unchanged"} 1',
  ]);

  run.kill('SIGTERM');
  run.kill('SIGHUP');
  expect(await run.ended).toMatchObject({ code: 0, signal: null });
});

test('a reloaded configuration counts for the next promoted store, together with the settings of that store', async () => {
  const { here, run, published, train, reload } = await running(`${SMALL} publish: { ${ONCE} }`);
  await train();
  await until('each new vector is published', async () => (await published()) === USERS);
  await here.ok(['replay', ...GRAPH, '--into', 'shadow', '--set', 'batchEdges=64']);
  await reload(`${SMALL} publish: { epsilon: 0, maxAgeMs: 1e9 }`, /applied: publish\.epsilon/);
  await here.ok(['replay', 'promote', 'shadow', ...GRAPH]);
  await run.says(/"msg":"store promoted"/);
  await until('its vectors are published', async () => (await published()) === USERS);
  await train();
  await until('each vector that moved is published', async () => ((await published()) ?? 0) >= 2 * USERS);
  await reload(
    `${SMALL} training: { batchEdges: 32 }`,
    /training\.batchEdges stays: the live store has a value/,
  );
});
