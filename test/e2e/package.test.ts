import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { snippets } from '../docs/blocks.ts';
import { HANGS_MS, until } from './twhin.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const MODULES = join(CHECKOUT, 'node_modules');
/** What ships, by folder; dist's own content is held below. */
const SHIPPED = [
  ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'bin', 'dist', 'docs', 'k8s'],
  ...['monitoring', 'package.json'],
];
const FOLLOWS = [
  { followerId: 1, followedId: 'b', action: 'follow', at: 1_704_067_200_000 },
  { followerId: 2, followedId: 'b', action: 'follow', at: 1_704_067_201_000 },
  { followerId: 3, followedId: 1, action: 'follow', at: 1_704_067_202_000 },
  { followerId: 3, followedId: 1, action: 'unfollow', at: 1_704_067_203_000 },
];

let elsewhere: string;
let installed: string;

/** Packs the checkout and installs the tarball in an empty project, once for every test here. */
beforeAll(() => {
  elsewhere = mkdtempSync(join(tmpdir(), 'package-'));
  installed = join(elsewhere, 'node_modules', 'twhin-stream');
  ok('npm', ['pack', '--pack-destination', elsewhere], CHECKOUT);
  const tarball = readdirSync(elsewhere).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(elsewhere, 'package.json'), '{"name":"elsewhere","private":true,"type":"module"}');
  // Almost all of it is in npm's cache: the checkout was just installed from it.
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  ok('npm', ['install', ...quiet, `./${tarball}`]);
});

afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));

/** A user's environment: the Node of the tests first, nothing of the npm that started them, an embedded log. */
function environment(): NodeJS.ProcessEnv {
  const ofNpm = /^npm_(?!config_)|^npm_config_local_prefix$|^INIT_CWD$|^(TWHIN|KAFKA)_/;
  const rest = Object.entries(process.env).filter(([name]) => !ofNpm.test(name));
  return {
    ...Object.fromEntries(rest),
    PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    KAFKA_BROKERS: `file:${join(elsewhere, 'log')}`,
    TWHIN_STATE: join(elsewhere, 'state'),
  };
}

function start(command: string, args: readonly string[], cwd = elsewhere) {
  return spawnSync(command, args, {
    cwd,
    env: environment(),
    encoding: 'utf8',
    shell: process.platform === 'win32',
    timeout: HANGS_MS,
  });
}

/** Runs a command that must exit with 0; gives its stdout. */
function ok(command: string, args: readonly string[], cwd = elsewhere): string {
  const { status, stdout, stderr } = start(command, args, cwd);
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

const twhin = (...args: string[]): string =>
  ok(process.execPath, [join(installed, 'bin', 'twhin.js'), ...args]);

/** Paths of all files under a root or a folder in it, from the root, ascending. */
function filesOf(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
    .sort();
}

/** Relative links and pictures of a page, without their headings. */
function linksOf(page: string): string[] {
  const prose = page.replaceAll(/^ *```.*?^ *```$/gms, '');
  return [...prose.matchAll(/\]\((?!\w+:)([^)#\s]+)/g)].map(([, link = '']) => link);
}

/** What the compiler says of configurations, by file name, that import their type from the package. */
function typeCheck(configs: Readonly<Record<string, string>>): string {
  const files = Object.entries(configs).map(([name, config]) => {
    writeFileSync(join(elsewhere, name), config);
    return join(elsewhere, name);
  });
  const flags = ['--noEmit', '--ignoreConfig', '--strict', '--module', 'nodenext', '--target', 'es2024'];
  const types = ['--typeRoots', join(MODULES, '@types'), '--types', 'node'];
  const tsc = join(MODULES, 'typescript', 'bin', 'tsc');
  return start(process.execPath, [tsc, ...flags, ...types, ...files]).stdout;
}

test('holds what runs and what a reader needs, and nothing of the workshop', () => {
  expect(readdirSync(installed).sort()).toEqual(SHIPPED);
  const files = filesOf(installed);
  const dist = files.filter((file) => file.startsWith(`dist${sep}`));
  expect(dist.filter((file) => !/\.(js|d\.ts)$/.test(file)).sort()).toEqual([
    join('dist', 'src', 'kernels', 'kernel-plain.wasm'),
    join('dist', 'src', 'kernels', 'kernel-relaxed.wasm'),
    join('dist', 'src', 'kernels', 'scan', 'scan-relaxed.wasm'),
    join('dist', 'src', 'pages', 'dashboard', 'index.html'),
    join('dist', 'src', 'pages', 'serving', 'index.html'),
    join('dist', 'src', 'pages', 'serving', 'serving.css'),
    join('dist', 'src', 'pages', 'shared', 'icon.svg'),
    join('dist', 'src', 'pages', 'shared', 'style.css'),
  ]);
  expect(files.filter((file) => /assembly|\.test\.|node24[/\\]|\.tsbuildinfo$/.test(file))).toEqual([]);
  // What operates it, and what its pages link to.
  for (const room of ['docs', 'k8s', 'monitoring']) {
    const shipped = files.filter((file) => file.startsWith(`${room}${sep}`));
    expect(shipped.sort()).toEqual(filesOf(CHECKOUT, room));
  }
  for (const room of ['src', 'topics']) {
    for (const source of readdirSync(join(CHECKOUT, room), { recursive: true, encoding: 'utf8' })) {
      if (!source.endsWith('.ts') || source.includes('assembly')) continue;
      expect(dist).toContain(join('dist', room, source.replace(/\.ts$/, '.js')));
    }
  }
  expect(readFileSync(join(installed, 'LICENSE'), 'utf8')).toContain('Apache License');
});

test('each link of its pages leads to what it holds', () => {
  const broken = filesOf(installed)
    .filter((file) => file.endsWith('.md'))
    .flatMap((page) => linksOf(readFileSync(join(installed, page), 'utf8')).map((link) => ({ page, link })))
    .filter(({ page, link }) => !existsSync(join(installed, dirname(page), link)));
  expect(broken).toEqual([]);
});

test('says what it can do, and its version', () => {
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'));
  expect(ok('npx', ['--no', '--', 'twhin', '--version']).trim()).toBe(version);
  const help = twhin('--help');
  for (const command of ['topics', 'feed', 'run', 'stats', 'show', 'doctor', 'init']) {
    expect(help).toMatch(new RegExp(`^  ${command} `, 'm'));
  }
});

test('learns from events, away from the checkout', () => {
  twhin('init');
  twhin('topics', 'apply');
  expect(twhin('doctor')).not.toMatch(/^FAIL/m);
  writeFileSync(join(elsewhere, 'follows.ndjson'), FOLLOWS.map((value) => JSON.stringify(value)).join('\n'));
  twhin('feed', 'follows.ndjson', '--topic', 'follow');
  twhin('run', '--graph', 'follow', '--until-caught-up');
  const { graphs } = JSON.parse(twhin('stats', '--json', '--graph', 'follow'));
  expect(graphs.follow).toMatchObject({
    entities: { user: 4 },
    edges: { follows: 2 },
    events: { consumed: 4, rejected: 0, duplicate: 0, late: 0 },
    outbox: 0,
  });
  const shown = JSON.parse(twhin('show', 'user:b', '--graph', 'follow', '--json'));
  expect(shown.edges.follows).toMatchObject({ out: 0, in: 2 });
  expect(shown.vector).toHaveLength(128);
});

test('serves its dashboard, and looks an entity up in a thread', async () => {
  const command = join(installed, 'bin', 'twhin.js');
  const running = spawn(process.execPath, [command, 'run', '--graph', 'follow', '--http', '127.0.0.1:0'], {
    cwd: elsewhere,
    env: environment(),
  });
  let said = '';
  running.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => running.on('close', resolve));
  try {
    await until('it reads', () => /"msg":"leads the graph"/.test(said));
    const url = /"url":"([^"]+)"/.exec(said)?.[1] ?? '';
    expect(await (await fetch(url)).text()).toContain('<title>twhin-stream</title>');
    expect(await (await fetch(`${url}/uplot.js`)).text()).toContain('uPlot');
    const found = await (await fetch(`${url}/api/entity?graph=follow&id=user:b`)).json();
    expect(found).toMatchObject({ entity: 'user:b', edges: { follows: { out: 0, in: 2 } } });
  } finally {
    running.kill('SIGTERM');
  }
  expect(await ended).toBe(0);
});

test('answers from live vectors in a process of the user, as the documentation says', () => {
  const page = readFileSync(join(CHECKOUT, 'docs', 'serve.md'), 'utf8');
  const example = /```js\n(import \{ serveGraphs \}.*?)```/s.exec(page)?.[1] ?? '';
  // The graph and the user of the test stand for those of the page.
  const code = example
    .replace("graphs: ['engagement']", "graphs: ['follow']")
    .replace("surface: 'home', user: '123', k: 10", "surface: 'who-to-follow', user: '1', k: 2")
    .replace("entity: 'tweet:77', k: 10", "entity: 'user:b', k: 1")
    .replace("recent({ user: '123'", "recent({ user: '1'")
    // The graph of the test has no searches.
    .replace("type: 'tweet', k: 10 })", "type: 'tweet', k: 10 }).catch(({ message }) => message)")
    .replace(
      "user: '123', relation: 'likes', candidates: ['tweet:77', 'tweet:78']",
      "user: '1', relation: 'follows', candidates: ['user:3', 'user:x']",
    );
  const more = `
    const again = await serveGraphs({ limits: { maxEntities: 100 } }, { graphs: ['follow'] });
    const early = await again.candidates({ surface: 'who-to-follow', user: '1' }).catch(({ code }) => code);
    await again.stop();
    const late = await again.ready().catch(({ code }) => code);
    const wrong = await serveGraphs({}, { graphs: ['nothing'] }).catch(({ message }) => message);
    console.log(JSON.stringify({ list, near, ranks, did, codes: [early, late, wrong, found] }));`;
  writeFileSync(join(elsewhere, 'serving.js'), `${code}${more}`);
  // It ends: nothing keeps a process alive that has stopped serving.
  const { list, near, ranks, did, codes } = JSON.parse(
    ok(process.execPath, ['serving.js']).trim().split('\n').at(-1)!,
  );
  expect(list).toMatchObject({ graph: 'follow', fallback: null, filtered: { seen: 1, blocked: 0 } });
  expect(list.items.map(({ entity }: { entity: string }) => entity).sort()).toEqual(['user:2', 'user:3']);
  expect([near.items.length, near.items[0].entity]).toEqual([1, expect.stringMatching(/^user:[123]$/)]);
  expect(ranks).toMatchObject({ items: [{ entity: 'user:3' }], missing: ['user:x'] });
  expect(did).toEqual({
    entity: 'user:1',
    items: [{ relation: 'follows', entity: 'user:b', at: FOLLOWS[0]!.at, removed: false, blocked: false }],
  });
  expect(codes).toEqual([
    'not-read',
    'not-read',
    expect.stringMatching(/^no graph nothing/),
    expect.stringMatching(/^(type|graph): /),
  ]);
});

test('types a configuration, and what is served', () => {
  const config = (preset: string) => `import type { ConfigureTwhin } from 'twhin-stream';
    const configure: ConfigureTwhin = ({ z, defineTopic, idField, instantField, entityKey }) => ({
      preset: '${preset}',
      entityTypes: ['list'],
      relations: [{ name: 'saves', lhs: 'user', rhs: 'list' }],
      topics: [
        defineTopic({
          name: 'save',
          schema: z.object({ userId: idField, listId: idField, at: instantField }),
          key: ({ userId }) => userId,
          changes: ({ userId, listId, at }) => [
            { lhs: entityKey('user', userId), relation: 'saves', rhs: entityKey('list', listId), at, removed: false },
          ],
        }),
      ],
      graphs: { lists: { topics: ['save'], relations: ['saves'] } },
    });
    export default configure;`;
  const typed = (asked: string) => `import { serveGraphs } from 'twhin-stream';
    const serving = await serveGraphs(undefined, { graphs: ['follow'] });
    const { items } = await serving.candidates({ ${asked}, to: 'list' });
    export const names: string[] = items.map(({ entity }) => entity);`;
  // What the pages show has the types of the package, and finds a wrong name.
  const [example = ''] = snippets('docs/wire-contract.md', 'defineTopic({');
  const shown = (text: string) =>
    `import type { ConfigureTwhin } from 'twhin-stream';\n${text.replace('export default', 'const configure: ConfigureTwhin =')}\nexport default configure;`;
  const message = 'declare const message: { key: Buffer; headers: Record<string, Buffer>; value: Buffer };\n';
  const readers = ['decodeEmbedding', 'decodeRelation'].map((name) =>
    snippets('docs/wire-contract.md', name),
  );
  expect(readers.map(({ length }) => length)).toEqual([1, 1]);
  const said = typeCheck({
    'example.config.ts': shown(example),
    'wrong-example.config.ts': shown(example.replace("relation: 'views', ...", "relation: 'view', ...")),
    'reads-vectors.ts': `${message}${readers[0]?.join()}\nexport { vector, step };`,
    'reads-relations.ts': `${message}${readers[1]?.join()}\nexport { relation, inverse, vector, scorer, beta };`,
    'right.config.ts': config('measured'),
    'wrong.config.ts': config('mesured'),
    'served.ts': typed("user: '1'"),
    'wrongly-served.ts': typed('user: 1'),
  });
  expect(said).toMatch(/wrong\.config\.ts\(3,.*'"mesured"' is not assignable/);
  expect(said).not.toContain('right.config.ts');
  expect(said).toMatch(/wrongly-served\.ts\(3,.*'number' is not assignable/);
  expect(said).not.toMatch(/^(example|reads-)/m);
  expect(said).toMatch(/^wrong-example\.config\.ts\(\d+,[\s\S]*relation: "view"; }' is not assignable/m);
  expect(said).not.toMatch(/^served\.ts/m);
});

test('gives a reader the vectors’ codec', () => {
  mkdirSync(join(elsewhere, 'reader'));
  const code = `
    import { decodeRelation, decodeVector } from 'twhin-stream';
    const value = Buffer.from(new Float32Array([1, -0.5]).buffer);
    const headers = {
      ...{ graph: 'shop', dim: '2', dtype: 'float32', step: '1', at: '1', fingerprint: 'f', epoch: '1', space: 's' },
      ...{ trained: 'true', scorer: 'transe-l2', norm: '2', beta: '9', lhs: 'customer', rhs: 'product' },
    };
    const { relation, inverse, vector } = decodeRelation('relation:buys/inverse', headers, value);
    console.log(JSON.stringify([...decodeVector(value), relation, inverse, ...vector]));`;
  writeFileSync(join(elsewhere, 'reader', 'read.js'), code);
  expect(ok(process.execPath, [join('reader', 'read.js')]).trim()).toBe('[1,-0.5,"buys",true,1,-0.5]');
});
