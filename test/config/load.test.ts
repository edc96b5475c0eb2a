import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { init } from '../../src/cli/init.ts';
import { topicsOf as topicsRead } from '../../src/compose/graph-updater.ts';
import { declaredTopics } from '../../src/config/declared-topics.ts';
import { configOf, configSource, loadConfig } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { UsageError } from '../../src/errors/errors.ts';
import { freshFolder } from '../fresh-folder.ts';
import { problemsOf as problemsIn } from './problems-of.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

let files = 0;
/** Node caches modules by their path, so each file gets its own name. */
async function file(content: string): Promise<string> {
  const path = join(folder, `config-${files++}.ts`);
  await writeFile(path, content);
  return path;
}

const load = async (content: string, env: NodeJS.ProcessEnv = {}) =>
  loadConfig({ ...env, TWHIN_CONFIG: await file(content) }, folder);

async function problemsOf(loading: Promise<unknown>): Promise<string[]> {
  const error = await loading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof UsageError)) throw new Error(`expected a UsageError, seen ${String(error)}`);
  return error.message.split('\n').map((line) => line.trim());
}

describe('loadConfig', () => {
  test('gives the brokers, the folder and the tuning of the defaults where there is no file', async () => {
    const config = await loadConfig({}, folder);
    expect(config.kafka).toEqual({ brokers: ['127.0.0.1:9092'], clientId: 'twhin-stream', ssl: false });
    expect(config.state).toBe(join(folder, '.twhin/state'));
    expect(config.tuning).toEqual({
      batchEdges: 1024,
      maxOutbox: 262_144,
      lingerMs: 100,
      commitEdges: 16_384,
      recoverMs: 15_000,
      commitMs: 100,
      queueBytes: 33_554_432,
      epsilon: 0.05,
      maxAgeMs: 60_000,
      readyLagMs: 60_000,
      stopMs: 30_000,
    });
  });

  test('takes the recipe from the preset, and single settings over it', () => {
    const recipe = (input: ConfigInput) => configOf(input, {}, folder).graphs[0]!.trainer;
    expect(recipe({})).toMatchObject({
      model: { scorer: 'transe-l2', loss: 'softmax', unitBall: true },
      ...{ chunkEdges: 64, uniformNegatives: 192, inBatchNegatives: true, correctNegatives: true },
    });
    const own = { model: { dim: 12, unitBall: true }, training: { chunkEdges: 3 } };
    expect(recipe({ preset: 'twhin', ...own })).toMatchObject({
      model: { dim: 12, scorer: 'twhin', loss: 'logistic', unitBall: true },
      ...{ chunkEdges: 3, uniformNegatives: 128, inBatchNegatives: true, correctNegatives: false },
      // √(3 / 12)
      initScale: 0.5,
    });
  });

  test('takes a key without a value as one that is not there, whatever the preset', async () => {
    const config = await load(
      `export default { preset: 'twhin', model: { loss: undefined }, training: undefined }`,
    );
    expect(config.graphs[0]!.trainer).toMatchObject({ model: { loss: 'logistic' }, chunkEdges: 128 });
    const ranking = await load(
      `export default { preset: 'twhin', model: { loss: 'margin', margin: undefined } }`,
    );
    expect(ranking.graphs[0]!.trainer.model).toMatchObject({ scorer: 'twhin', margin: 1 });
    expect((await problemsOf(load(`export default { model: [], training: 3 }`))).slice(1)).toEqual([
      expect.stringMatching(/^model: .*expected object.*, seen an array of 0$/),
      expect.stringMatching(/^training: .*expected object.*, seen 3$/),
    ]);
  });

  test.each<[training: ConfigInput['training'], model: ConfigInput['model'], problem: RegExp]>([
    [
      { updatesPerEdge: 2, ownUpdates: 3 },
      {},
      /^training.ownUpdates: .* training.updatesPerEdge, which is 2, seen 3$/,
    ],
    [{ kernel: 'reference', threads: 2 }, {}, /^training.threads: expected 1 with kernel reference, seen 2$/],
    [{ kernel: 'tfjs', threads: 3 }, {}, /^training.threads: expected 1 with kernel tfjs, seen 3$/],
    [{ threads: 17 }, {}, /^training.threads: .*expected .*16.*, seen 17$/],
    [
      { uniformNegatives: 0, inBatchNegatives: false },
      {},
      /^training.uniformNegatives: expected at least 1 .*, seen 0$/,
    ],
    [{}, { loss: 'margin', margin: 0 }, /^model.margin: expected a number above 0 with loss margin, seen 0$/],
    [
      {},
      { relationWeights: { loves: 2 } },
      /^model.relationWeights: expected names of .*likes.*, seen "loves"$/,
    ],
  ])('refuses training %j of model %j', (training, model, problem) => {
    const problems = problemsIn(() => configOf({ training, model }, {}, folder));
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test('gives a relation weight 1, and the margin loss margin 1, by default; threads where kernels take them', () => {
    const model = { loss: 'margin', relationWeights: { retweets: 2, likes: 1 } } as const;
    const training = { threads: 4, uniformNegatives: 0, inBatchNegatives: true };
    const [graph] = configOf({ model, training }, {}, folder).graphs;
    const weights = graph!.trainer.relations.filter(({ weight }) => weight !== 1);
    expect(weights).toEqual([{ name: 'retweets', lhsType: 0, rhsType: 1, weight: 2 }]);
    expect(graph!.trainer).toMatchObject({ model: { margin: 1 }, threads: 4, uniformNegatives: 0 });
    // A weight is no part of the model's identity.
    expect(graph!.model.relations).toContainEqual({ name: 'retweets', lhs: 'user', rhs: 'tweet' });
  });

  test('reports every problem at once: key, expected, seen', async () => {
    const problems = await problemsOf(
      load(
        `export default {
          preset: 'best',
          model: { dim: 0, scorer: 7 },
          training: { batchEdges: 128n, lingerMs: Infinity },
          graphs: { 'Bad Name': { topics: ['follow'], relations: ['follows'] }, empty: { topics: [], relations: ['follows'] } },
          topics: [{ name: 'x' }],
          colour: 'red',
          surfaces: { x: { to: 'product', limit: 3 }, y: { from: [], to: 'product' } },
          relations: [{ name: 'constructor', lhs: 'user', rhs: 'constructor' }],
          limits: { stopMs: 2 ** 31 },
        }`,
        {
          KAFKA_BROKERS: 'one:9092,two',
          KAFKA_SSL: 'yes',
          KAFKA_SASL_MECHANISM: 'gssapi',
          TWHIN_TOPIC_PREFIX: 'a b/',
        },
      ),
    );
    for (const expected of [
      /^preset: .*expected .*measured.*, seen "best"$/,
      /^model.dim: .*expected .*, seen 0$/,
      /^model.scorer: .*expected .*transe-l1.*, seen 7$/,
      /^training.batchEdges: .*expected number.*, seen 128n$/,
      /^training.lingerMs: .*expected number.*, seen Infinity$/,
      /^graphs.Bad Name: expected a lower-case letter, then lower-case letters, digits and dashes, seen "Bad Name"$/,
      /^graphs.empty.topics: .*expected .*, seen an array of 0$/,
      /^topics.0: expected what defineTopic returns, seen an object with name$/,
      /^colour: expected no such key, seen a string$/,
      /^surfaces.x.from: /,
      /^surfaces.x.limit: /,
      /^surfaces.y.from: /,
      /^relations.0.name: expected any other name, seen "constructor"$/,
      /^relations.0.rhs: expected any other name, seen "constructor"$/,
      /^limits.stopMs: .*expected .*2147483647.*, seen 2147483648$/,
      /^KAFKA_BROKERS: expected host:port, seen "two"$/,
      /^KAFKA_SSL: expected true or false, seen "yes"$/,
      /^KAFKA_SASL_MECHANISM: expected plain, scram.*, seen "gssapi"$/,
      /^KAFKA_SASL_USERNAME: expected a user name, seen nothing$/,
      /^KAFKA_SASL_PASSWORD: expected a password, seen nothing$/,
      /^TWHIN_TOPIC_PREFIX: expected .*letters.*, seen "a b\/"$/,
    ])
      expect(problems).toContainEqual(expect.stringMatching(expected));
    expect(problems[0]).toMatch(/^the configuration has 21 problems; nothing was started:$/);
    expect(problems).toHaveLength(22);
  });

  test('suggests the key that was meant', async () => {
    const problems = await problemsOf(
      load(`export default {
        publish: { epsilom: 0.1 },
        limit: {},
        model: { dims: 64 },
        graphs: { shop: { topic: ['follow'], relations: ['follows'], topics: ['follow'] } },
        relations: [{ name: 'saves', lhs: 'user', rsh: 'tweet', rhs: 'tweet' }],
        nonsense: 1,
      }`),
    );
    expect(problems.slice(1)).toEqual([
      'model.dims: expected no such key, seen a number; dim?',
      'publish.epsilom: expected no such key, seen a number; epsilon?',
      'relations.0.rsh: expected no such key, seen a string; rhs?',
      'graphs.shop.topic: expected no such key, seen an array of 1; topics?',
      'limit: expected no such key, seen an object with nothing in it; limits?',
      'nonsense: expected no such key, seen a number',
    ]);
  });

  test('reports every unknown and every repeated name', async () => {
    const problems = await problemsOf(
      load(`export default {
        entityTypes: ['venue', 'venue'],
        relations: [{ name: 'plays', lhs: 'user', rhs: 'song' }, { name: 'plays', lhs: 'user', rhs: 'venue' }],
        graphs: { follow: { topics: ['folow', 'erasure', 'erasure'], relations: ['knows'] } },
      }`),
    );
    expect(problems.slice(1)).toEqual([
      'entityTypes: expected each name once, seen "venue" again',
      'relations: expected each name once, seen "plays" again',
      'relations.plays: expected one of venue, user, tweet, ad, advertiser, query, seen "song"',
      'graphs.follow.relations: expected one of plays, plays, follows, likes, retweets, replies, quotes, mentions, clicks, promotes, searches, seen "knows"',
      'graphs.follow.topics: expected each name once, seen "erasure" again',
      'graphs.follow.topics: expected one of engagement, follow, ad-click, search, erasure, seen "folow"',
    ]);
  });

  const topicsOf = (list: string, more = '') =>
    `export default async ({ z, defineTopic }) => {
      const rest = { schema: z.object({}), key: () => 'k', changes: () => [] };
      return { topics: [${list}].map((each) => defineTopic({ ...each, ...rest })), ${more} };
    }`;

  test('takes a topic by its own name, and in place of one that comes along', async () => {
    const config = await load(
      topicsOf(
        `{ name: 'clicks', topic: 'web.clicks.v3' }, { topic: 'shop.orders' }, { name: 'follow' }, { name: 'erasure', topic: 'gdpr.deletions' }`,
        `topicPrefix: 'a.', graphs: {
          follow: { topics: ['clicks', 'shop.orders', 'follow', 'erasure'], relations: ['follows'] },
        },`,
      ),
    );
    const follow = config.graphs.find(({ name }) => name === 'follow');
    expect([...topicsRead(config, follow!).keys()]).toEqual([
      'web.clicks.v3',
      'shop.orders',
      'a.follow',
      'gdpr.deletions',
    ]);
    expect(follow?.topics.find(({ name }) => name === 'follow')?.read({})).toEqual({ key: 'k', changes: [] });
    const roles = new Map(declaredTopics(config).map(({ name, role }) => [name, role]));
    expect(roles.get('web.clicks.v3')).toBe('named');
    expect(roles.get('a.follow')).toBe('events');
    expect(roles.get('a.dead-letter')).toBe('written');
    expect(roles.has('a.web.clicks.v3')).toBe(false);
    expect(roles.has('a.erasure')).toBe(false);
  });

  test('reports every topic that is another one on the cluster, and every name that Kafka does not take', async () => {
    const long = 'x'.repeat(245);
    const problems = await problemsOf(
      load(
        topicsOf(
          `{ name: 'follow-2', topic: 'twhin.follow' }, { name: 'a', topic: 'web.clicks' }, { name: 'b', topic: 'web.clicks' },
          { topic: 'twhin.model.follow' }, { topic: 'twhin.dead-letter' }, { name: '${long}' }`,
          `graphs: { follow: {} },`,
        ),
      ),
    );
    expect(problems.slice(1)).toEqual([
      'topics.follow-2: expected another topic than that of follow, seen twhin.follow again',
      'topics.b: expected another topic than that of a, seen web.clicks again',
      'topics.twhin.model.follow: expected a topic of events, seen twhin.model.follow, to which twhin writes',
      'topics.twhin.dead-letter: expected a topic of events, seen twhin.dead-letter, to which twhin writes',
      expect.stringMatching(
        /^topics\.x+: expected 1 to 249 letters, .*, and neither \. nor \.\. alone; seen "twhin\.x+…"$/,
      ),
    ]);
    expect(await problemsOf(load(topicsOf(`{ topic: '..' }`)))).toEqual([
      expect.stringMatching(/^the definition of topic "\.\." is wrong: name: expected .*; seen "\.\."$/),
    ]);
  });

  test('takes how long events are kept, for all topics or for one', async () => {
    const retentions = async (content: string) => {
      const declared = declaredTopics(await load(content));
      return Object.fromEntries(declared.map(({ name, configs }) => [name, configs['retention.ms']]));
    };
    const plain = await retentions('export default {}');
    expect(plain['twhin.follow']).toBe('604800000');
    const both = await retentions(
      topicsOf(
        `{ name: 'visit', retentionMs: 1000 }, { name: 'stay', retentionMs: 'unlimited' }`,
        `eventRetentionMs: 86_400_000,
        graphs: { follow: { topics: ['follow', 'visit', 'stay', 'erasure'], relations: ['follows'] } }`,
      ),
    );
    expect(both).toMatchObject({
      'twhin.follow': '86400000',
      'twhin.visit': '1000',
      'twhin.stay': '-1',
      'twhin.dead-letter': '2592000000',
    });
    expect((await retentions(`export default { eventRetentionMs: 'unlimited' }`))['twhin.follow']).toBe('-1');
    expect(await problemsOf(load('export default { eventRetentionMs: 0 }'))).toHaveLength(2);
    expect(await problemsOf(load(topicsOf(`{ name: 'visit', retentionMs: 0, partitions: 0 }`)))).toEqual([
      `the definition of topic "visit" is wrong: partitions: expected 1 or more, seen 0; retentionMs: expected milliseconds or 'unlimited', seen 0`,
    ]);
  });

  test('never prints a secret, wherever it was put', async () => {
    const env = { KAFKA_SASL_USERNAME: 'eve', KAFKA_SASL_PASSWORD: 'hunter2', KAFKA_SASL_MECHANISM: 'md5' };
    const problems = await problemsOf(
      load(
        `export default {
          password: 'hunter2',
          kafka: { brokers: 'b:1', sasl: { mechanism: 'plain', username: 'eve', password: 'hunter2' } },
        }`,
        env,
      ),
    );
    expect(problems.join('\n')).not.toContain('hunter2');
    expect(problems).toContain(
      'kafka.sasl: expected no such key, seen an object with mechanism, username, password',
    );
    expect(problems).toContain('password: expected no such key, seen a string');
    expect(problems.some((line) => line.startsWith('KAFKA_SASL_MECHANISM:'))).toBe(true);
  });

  test('refuses a file that is missing, that is no module or that exports no configuration', async () => {
    const missing = join(folder, 'nowhere.ts');
    expect(await problemsOf(loadConfig({ TWHIN_CONFIG: missing }, folder))).toEqual([
      `TWHIN_CONFIG: there is no file ${missing}`,
    ]);
    // Node throws this error in a CommonJS package; here the test runner loads modules.
    expect(await problemsOf(load(`throw new SyntaxError("Unexpected token 'export'")`))).toEqual([
      expect.stringMatching(
        /can't be used: .*; put "type": "module" into the package\.json beside or above it$/,
      ),
    ]);
    expect(await problemsOf(load(`export default 'measured'`))).toEqual([
      'the configuration has 1 problem; nothing was started:',
      expect.stringMatching(/^the configuration: .*expected object.*, seen "measured"$/),
    ]);
    // An arrow function whose braces are a body returns nothing, and the defaults would count in place of what was meant.
    for (const [content, seen] of [
      ['() => { graphs: {} }', 'nothing'],
      ['null', 'null'],
      ['[]', 'an array of 0'],
    ])
      expect(await problemsOf(load(`export default ${content}`))).toEqual([
        'the configuration has 1 problem; nothing was started:',
        expect.stringMatching(new RegExp(`^the configuration: .*expected object.*, seen ${seen}$`)),
      ]);
  });

  test('reads the HTTP address: host:port or off, from the environment first', async () => {
    const http = async (content: string, env: NodeJS.ProcessEnv = {}) =>
      (await load(`export default { ${content} }`, env)).http;
    expect(await http('')).toBeUndefined();
    expect(await http(`http: '0.0.0.0:9100'`)).toEqual({ host: '0.0.0.0', port: 9100 });
    expect(await http(`http: '0.0.0.0:9100'`, { TWHIN_HTTP: 'off' })).toBe('off');
    expect(await http('', { TWHIN_HTTP: '[::1]:0' })).toEqual({ host: '::1', port: 0 });
    for (const wrong of ['8077', ':8077', 'a:b', '::1:80', '[::1]', 'host:65536', 'http://a:80', ' a:80']) {
      expect(await problemsOf(load('export default {}', { TWHIN_HTTP: wrong }))).toEqual([
        'the configuration has 1 problem; nothing was started:',
        `TWHIN_HTTP: expected host:port, such as 127.0.0.1:8077 or [::1]:8077, or off, seen ${JSON.stringify(wrong)}`,
      ]);
    }
  });

  test('takes the environment over the file', async () => {
    const content = `export default { topicPrefix: 'file.', state: '/from/file', kafka: { brokers: ['file:1'] } }`;
    const fromFile = await load(content);
    expect(fromFile.state).toBe('/from/file');
    const config = await load(content, {
      KAFKA_BROKERS: 'a:1, b:2',
      TWHIN_STATE: 'here',
      TWHIN_TOPIC_PREFIX: '',
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA: '/ca.pem',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: 'p',
    });
    expect(config.topicPrefix).toBe('');
    expect(config.state).toBe(join(folder, 'here'));
    expect(config.kafka).toEqual({
      brokers: ['a:1', 'b:2'],
      clientId: 'twhin-stream',
      ssl: true,
      caFile: '/ca.pem',
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' },
    });
  });

  test('takes one token for oauthbearer, given or in a file, and no token with another mechanism', async () => {
    const saslOf = async (env: NodeJS.ProcessEnv) => (await load('export default {}', env)).kafka.sasl;
    const oauth = { KAFKA_SASL_MECHANISM: 'oauthbearer' };
    expect(await saslOf({ ...oauth, KAFKA_SASL_TOKEN: 'abc' })).toEqual({
      mechanism: 'oauthbearer',
      token: 'abc',
    });
    expect(await saslOf({ ...oauth, KAFKA_SASL_TOKEN_FILE: '/run/token' })).toEqual({
      mechanism: 'oauthbearer',
      token: { file: '/run/token' },
    });
    await expect(saslOf(oauth)).rejects.toThrow(/expected one of the two for oauthbearer, seen neither/);
    const both = { ...oauth, KAFKA_SASL_TOKEN: 'secret-token', KAFKA_SASL_TOKEN_FILE: '/run/token' };
    const error = await saslOf(both).catch((thrown: unknown) => String(thrown));
    expect(error).toMatch(/seen both/);
    expect(error).not.toMatch(/secret-token/);
    await expect(saslOf({ KAFKA_SASL_TOKEN: 'abc' })).rejects.toThrow(/KAFKA_SASL_USERNAME/);
  });

  test('reads the file once: what a process gets later has the same file below its settings', async () => {
    const path = await file(`export default { publish: { epsilon: 0.25 } }`);
    const source = configSource({ TWHIN_CONFIG: path }, folder);
    expect((await source()).tuning.epsilon).toBe(0.25);
    await rm(path);
    expect((await source(['dim=8'])).graphs[0]?.model.dim).toBe(8);
    expect((await source(['dim=8'])).tuning.epsilon).toBe(0.25);
    await expect(source(['dim=0'])).rejects.toThrow(/model\.dim/);
    expect((await source()).graphs[0]?.model.dim).toBe(128);
  });

  test('gives a configuration that is frozen however deep', async () => {
    const thawed: string[] = [];
    const look = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [key, part] of Object.entries(value)) look(part, `${path}.${key}`);
    };
    look(await load(`export default { kafka: { brokers: ['a:1'] } }`), 'config');
    expect(thawed).toEqual([]);
  });
});

describe('twhin init', () => {
  const template = async () => {
    const written: string[] = [];
    await init(folder, { out: (line) => written.push(line), err() {}, status() {} });
    expect(written).toEqual([`wrote ${join(folder, 'twhin.config.ts')}`]);
    return readFile(join(folder, 'twhin.config.ts'), 'utf8');
  };

  test('says where it cannot write', async () => {
    const output = { out() {}, err() {}, status() {} };
    await expect(init(join(folder, 'nowhere'), output)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining(
        `${join(folder, 'nowhere', 'twhin.config.ts')} can't be written: ENOENT`,
      ),
    });
  });

  test('writes a file that loads and equals the defaults', async () => {
    await template();
    const [own, plain] = await Promise.all([
      loadConfig({}, folder),
      loadConfig({}, join(folder, 'elsewhere')),
    ]);
    expect(own.graphs.map(({ model, trainer }) => ({ model, trainer }))).toEqual(
      plain.graphs.map(({ model, trainer }) => ({ model, trainer })),
    );
    expect([own.tuning, own.limits, own.logLevel, own.topicPrefix]).toEqual([
      plain.tuning,
      plain.limits,
      plain.logLevel,
      plain.topicPrefix,
    ]);
  });

  test('writes an example that loads once its comment marks are removed', async () => {
    const text = await template();
    const [before, example] = text.split("beside TwHIN's. For example, users who save tweets to lists:\n");
    const config = await load(`${before}\n${example?.replaceAll(/^ {2}\/\/ ?/gm, '  ')}`);
    const lists = config.graphs.find(({ name }) => name === 'lists');
    expect(lists?.topics[0]?.changesOf({ userId: 'u', listId: 5, at: 1_700_000_000_000 })).toEqual([
      { lhs: 'user:u', relation: 'saves', rhs: 'list:5', at: 1_700_000_000_000, removed: false },
    ]);
  });
});
