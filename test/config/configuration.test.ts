import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Configuration } from '../../src/config/configuration.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-configuration-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = () => join(folder, 'twhin.config.ts');
const write = (inside: string) => writeFile(path(), `export default (k) => ({ ${inside} });\n`);

async function loaded(inside: string, env: NodeJS.ProcessEnv = {}): Promise<Configuration> {
  await write(inside);
  return Configuration.load(env, folder);
}

const said = (changes: Awaited<ReturnType<Configuration['readAgain']>>['changes']) =>
  changes.map(({ key, counts, before, after }) => `${key}: ${before} → ${after} ${counts}`);

const VISITS = (changes: string, more = '') => `
  entityTypes: ['venue'],
  relations: [{ name: 'visits', lhs: 'user', rhs: 'venue' }],
  topics: [k.defineTopic({
    name: 'visit',
    schema: k.z.object({ userId: k.idField, venueId: k.idField, at: k.instantField ${more} }),
    key: ({ userId }) => userId,
    changes: ${changes},
  })],`;
const ONE = `({ userId, venueId, at }) =>
  [{ lhs: k.entityKey('user', userId), relation: 'visits', rhs: k.entityKey('venue', venueId), at, removed: false }]`;

describe('a configuration that is read again', () => {
  test('takes the changes that count at once, keeps the other values, and names both', async () => {
    const before = await loaded(`model: { dim: 16 }, publish: { epsilon: 0.5 }, commit: { everyMs: 70 }`);
    await write(
      `model: { dim: 32, scorer: 'twhin' }, publish: { epsilon: 0 }, limits: { stopMs: 9 }, log: { level: 'warn' }`,
    );
    const { configuration, changes } = await before.readAgain();
    expect(said(changes)).toEqual([
      'model.dim: 16 → 32 in a new store',
      'model.scorer: nothing → "twhin" in a new store',
      'commit.everyMs: 70 → 500 at once',
      'publish.epsilon: 0.5 → 0 at once',
      'limits.stopMs: 30000 → 9 at once',
      'log.level: "info" → "warn" at once',
    ]);
    expect(configuration.config.tuning).toMatchObject({ epsilon: 0, commitMs: 500 });
    expect([configuration.config.stopMs, configuration.config.logLevel]).toEqual([9, 'warn']);
    expect(configuration.config.graphs[0]?.model).toMatchObject({ dim: 16, scorer: 'transe-l2' });
    expect(before.config.tuning).toMatchObject({ epsilon: 0.5, commitMs: 70 });
    // A further reading names only the changes that wait for a restart.
    const { changes: left } = await configuration.readAgain();
    expect(left.map(({ key }) => key)).toEqual(['model.dim', 'model.scorer']);
  });

  test('finds no change in the same file, even with topics of its own', async () => {
    const before = await loaded(VISITS(ONE));
    await write(`${VISITS(ONE)} publish: {}`);
    expect((await before.readAgain()).changes).toEqual([]);
  });

  test('notices an edited topic by its functions and by its schema', async () => {
    const before = await loaded(VISITS(ONE));
    for (const edited of [VISITS('() => []'), VISITS(ONE, ', note: k.z.string()')]) {
      await write(edited);
      const { changes } = await before.readAgain();
      expect(said(changes)).toEqual(['topics: the definition of visit → another after a restart']);
    }
  });

  test('names no key that the environment decides', async () => {
    const env = { TWHIN_TOPIC_PREFIX: 'a.', TWHIN_STATE: '/s', TWHIN_HTTP: 'off', KAFKA_BROKERS: 'b:1' };
    const file = (n: number) =>
      `topicPrefix: 'p${n}.', state: '/${n}', http: '[::1]:${n}', kafka: { brokers: ['c:${n}'] }`;
    const ruled = await loaded(file(1), env);
    await write(file(2));
    expect((await ruled.readAgain()).changes).toEqual([]);
    await write(`${file(2).slice(0, -2)}, clientId: 'me' }`);
    expect(said((await ruled.readAgain()).changes)).toEqual([
      'kafka.clientId: "twhin-stream" → "me" after a restart',
    ]);
  });

  test('is refused as a whole, with every problem, where a part is wrong', async () => {
    const before = await loaded(`publish: { epsilon: 0.5 }`);
    await write(`publish: { epsilon: -1 }, limits: { queueBytes: 0 }`);
    const refusal = await before.readAgain().catch((error: Error) => error.message);
    expect(refusal).toMatch(
      /^the configuration has 2 problems; nothing was changed:\n {2}publish\.epsilon: .*, seen -1\n {2}limits\.queueBytes: .*, seen 0$/,
    );
    await write(`graphs: { x: { topics: ['y'], relations: ['z'] } }`);
    await expect(before.readAgain()).rejects.toThrow(
      /2 problems; nothing was changed:\n.*seen "z"\n.*seen "y"/,
    );
    await writeFile(path(), 'export default { publish: ');
    await expect(before.readAgain()).rejects.toThrow(/twhin\.config\.ts can't be used/);
    await rm(path());
    await expect(before.readAgain()).rejects.toThrow(/twhin\.config\.ts is gone/);
  });

  test('may have had no file at the start', async () => {
    const before = await Configuration.load({}, folder);
    expect((await before.readAgain()).changes).toEqual([]);
    await write('publish: { epsilon: 0.5 }');
    const { configuration, changes } = await before.readAgain();
    expect(said(changes)).toEqual(['publish.epsilon: 0.05 → 0.5 at once']);
    await rm(path());
    await expect(configuration.readAgain()).rejects.toThrow('is gone');
  });

  test('goes below the settings of a store', async () => {
    const before = await loaded('publish: { epsilon: 0.5 }');
    await write('publish: { epsilon: 0.1 }, training: { batchEdges: 7 }, model: { dim: 64 }');
    const { configuration } = await before.readAgain();
    const config = configuration.with(['batchEdges=99', 'dim=32']);
    expect(config.tuning).toMatchObject({ epsilon: 0.1, batchEdges: 99 });
    expect(config.graphs[0]?.model.dim).toBe(32);
    expect(configuration.config.graphs[0]?.model.dim).toBe(128);
    expect(() => configuration.with(['publish.epsilon=-1'])).toThrow(
      /nothing was started:\n {2}publish\.epsilon:/,
    );
  });
});
