import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { circle, wrongImports } from './architecture/directions.ts';
import { COMPUTED, parseSource, readSource } from './architecture/source-file.ts';

const ROOT = join(import.meta.dirname, '..');
/** No clock, no random source, no environment of their own: they are handed in. */
const CORE = /^(topics|src\/(graph|model|sampling|kernels|pipeline|shards))\//;
/** Why an `as` is right there. */
const CASTS: Readonly<Record<string, string>> = {
  'src/adapters/kafka/failure.ts': 'the client keeps the answer to a request in its error, without its type',
  'src/graph/entity.ts': 'the one place that brands a checked string as an entity key',
  'src/kernels/instance.ts': 'what a WebAssembly instance exports has no type of its own',
};

const files = globSync('{src,topics,demo,broker}/**/*.ts', { cwd: ROOT }).map((path) =>
  readSource(ROOT, path.replaceAll('\\', '/')),
);
const shipped = Object.keys(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies);
const ofCompiler = files.filter(({ path }) => !path.includes('/assembly/'));

describe('the sources', () => {
  test('are all read', () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        'src/pipeline/updater.ts',
        'topics/follow.ts',
        'demo/main.ts',
        'broker/start.ts',
      ]),
    );
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(files.length);
  });

  test('import in the direction of their room only', () => {
    expect(files.flatMap((file) => wrongImports(file, shipped))).toEqual([]);
  });

  test('import files that are there, by their full names', () => {
    const named = ofCompiler.flatMap(({ imports }) => imports.map(({ to }) => to));
    expect(
      named.filter((to) => /^(src|topics|demo|broker)\//.test(to) && !existsSync(join(ROOT, to))),
    ).toEqual([]);
  });

  test('import in no circle', () => {
    expect(circle(ofCompiler)).toBeUndefined();
  });

  test('of the core take nothing from their surroundings', () => {
    const core = files.filter(({ path }) => CORE.test(path));
    expect(core.flatMap(({ path, surroundings }) => surroundings.map((what) => `${path}: ${what}`))).toEqual(
      [],
    );
  });

  test('have no any, and no cast without a reason', () => {
    const loose = ofCompiler.filter(({ path }) => CASTS[path] === undefined);
    expect(loose.flatMap(({ path, loose }) => loose.map((what) => `${path}: ${what}`))).toEqual([]);
  });
});

describe('the rules see', () => {
  const wrong = (path: string, text: string) => wrongImports(parseSource(path, text), ['zod', 'kafkajs']);

  test.each([
    ['src/graph/b.ts', 'src/model/a.ts', `import { b } from '../graph/b.ts';`],
    ['src/cli/main.ts', 'src/graph/a.ts', `import '../cli/main.ts';`],
    ['src/pipeline/ports.ts', 'topics/a.ts', `export * from '../src/pipeline/ports.ts';`],
    ['src/cli/run.ts', 'src/config/a.ts', `await import('../cli/run.ts');`],
    ['src/cli/w.ts', 'src/graph/a.ts', `new URL('../cli/w.ts', import.meta.url);`],
    ['src/cli/w.ts', 'src/graph/a.ts', `new URL(\`../cli/w\${x}\`, import.meta.url);`],
    ['kafkajs', 'src/pipeline/a.ts', `import { Kafka } from 'kafkajs';`],
    ['node:fs/promises', 'src/graph/a.ts', `import { open } from 'node:fs/promises';`],
    ['vitest', 'src/cli/a.ts', `import { test } from 'vitest';`],
    ['src/model/b.ts', 'src/config/a.ts', `import { b } from '../model/b.ts';`],
    ['src/model/b.ts', 'src/config/a.ts', `import { type A, b } from '../model/b.ts';`],
    [COMPUTED, 'src/cli/a.ts', `await import(name);`],
    ['src/pipeline/writing/b.ts', 'src/pipeline/reading/a.ts', `import { b } from '../writing/b.ts';`],
    ['src/pipeline/reading/b.ts', 'src/pipeline/training/a.ts', `import { b } from '../reading/b.ts';`],
    ['src/shards/b.ts', 'src/pipeline/a.ts', `import { b } from '../shards/b.ts';`],
    ['src/shards/b.ts', 'src/pipeline/training/a.ts', `import { b } from '../../shards/b.ts';`],
    ['src/cli/b.ts', 'src/compose/a.ts', `import { b } from '../cli/b.ts';`],
    ['src/compose/b.ts', 'src/replay/a.ts', `import { b } from '../compose/b.ts';`],
    ['src/index.ts', 'src/cli/a.ts', `import { a } from '../index.ts';`],
  ])('%s in %s by %s', (to, path, text) => {
    expect(wrong(path, text)).toEqual([`${path} imports ${to}`]);
  });

  test('a type where none may be', () => {
    expect(wrong('src/model/a.ts', `type B = import('../cli/b.ts').B;`)).toEqual([
      'src/model/a.ts imports the type of src/cli/b.ts',
    ]);
  });

  test('what is right, and text that only looks like an import', () => {
    expect(wrong('src/config/a.ts', `import type { A } from '../model/a.ts';`)).toEqual([]);
    expect(wrong('src/config/a.ts', `import { type A } from '../model/a.ts';`)).toEqual([]);
    expect(
      wrong('src/graph/a.ts', `const a = \`import x from '../cli/b.ts'\`; // import '../cli/c.ts'`),
    ).toEqual([]);
  });

  test('a folder without a place', () => {
    expect(wrong('src/misc/a.ts', '')).toEqual(['src/misc/a.ts is in no room of the layout']);
  });

  test('a circle', () => {
    const a = parseSource('src/graph/a.ts', `import './b.ts';`);
    const b = parseSource('src/graph/b.ts', `import type { C } from './c.ts';`);
    const c = parseSource('src/graph/c.ts', `export { a } from './a.ts';`);
    expect(circle([a, b, c])).toBe('src/graph/a.ts → src/graph/b.ts → src/graph/c.ts → src/graph/a.ts');
    expect(circle([a, b])).toBeUndefined();
  });

  test('clocks, chance, the process and loose types', () => {
    const text = `const t = [Date.now(), new Date(), new Date(5), Math.random(), process.env.HOME, x as any, [] as const];`;
    const { surroundings, loose } = parseSource('src/graph/a.ts', text);
    expect(surroundings).toEqual(['Date.now', 'new Date()', 'Math.random', 'process.env']);
    expect(loose).toEqual(['as', 'any']);
  });
});
