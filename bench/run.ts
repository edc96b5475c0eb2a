/**
 * `npm run bench -- NAME [--against COMMIT] [--rounds N] [--smoke] [--set KEY=VALUE …] [--keep] [--json]`, and the options of the bench.
 * Without a name: which benches there are. Prints a table; --keep appends the run to bench/results/NAME.jsonl, from which
 * `npm run docs` makes docs/measured.md. --against: another commit takes turns with this one, in the programs of today's bench/.
 * --smoke: as small as it can be; `--all --smoke` runs every bench like this, and fails where one leaves a column empty.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, cp, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { reasonOf, UsageError } from '../src/errors/errors.ts';
import { allBenches, benchNamed } from './benches.ts';
import { type Bench, Here, load, machine, ROOT, Shared, type Size } from './harness.ts';
import { ran } from './process.ts';
import { git, printed, type Result } from './result.ts';

const ROUNDS = 3;
const COMMON = {
  against: { type: 'string' },
  rounds: { type: 'string' },
  smoke: { type: 'boolean', default: false },
  set: { type: 'string', multiple: true, default: [] },
  keep: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig;

const [first] = process.argv.slice(2);
try {
  if (first === undefined || first === '--help') await list();
  else if (first === '--all') await runAll();
  else await runOne(await benchNamed(first));
} catch (error) {
  const wrongUsage = error instanceof UsageError || /^ERR_PARSE_ARGS/.test(Object(error).code);
  if (!wrongUsage) throw error;
  console.error(`${reasonOf(error)}; npm run bench lists the benches and their options`);
  process.exitCode = 2;
}

async function list(): Promise<void> {
  for (const { name, what, sizes } of await allBenches()) {
    const options = Object.entries(sizes.full).map(([key, value]) =>
      typeof value === 'boolean'
        ? `--${value ? 'no-' : ''}${key}`
        : `--${key} ${value === '' ? 'NAME' : value}`,
    );
    console.log(`${name}: ${what}\n    ${options.join(' ')}`);
  }
  console.log(
    'all: [--against COMMIT] [--rounds N] [--smoke] [--set KEY=VALUE …] [--keep] [--json], where they have a part in it',
  );
}

/** Every bench at its smallest. */
async function runAll(): Promise<void> {
  const { values } = parseArgs({ options: COMMON });
  if (!values.smoke) throw new UsageError('--all: expected --smoke; each bench takes minutes to hours');
  await using shared = new Shared();
  for (const bench of await allBenches()) {
    process.stderr.write(`${bench.name}\n`);
    const here = new Here(bench.sizes.smoke, { set: values.set, rounds: 1, shared });
    await bench.measure(here);
    const { columns, rows } = here.table(bench.columns);
    const empty = columns
      .slice(1)
      .filter((_, i) => !rows.some((row) => [row[i + 1]].flat().some(Number.isFinite)));
    if (empty.length > 0) throw new Error(`${bench.name} measured no ${empty.join(', no ')}`);
    console.log(`${bench.name}: ${rows.length} rows of ${bench.columns.join(', ')}`);
  }
}

async function runOne(bench: Bench): Promise<void> {
  const own = Object.entries(bench.sizes.full).map(
    ([key, value]) => [key, { type: typeof value === 'boolean' ? 'boolean' : 'string' }] as const,
  );
  const { values, tokens } = parseArgs({
    args: process.argv.slice(3),
    options: { ...Object.fromEntries(own), ...COMMON },
    allowNegative: true,
    tokens: true,
  });
  const given = new Map(Object.entries(values));
  const size = sized(bench.sizes, values.smoke, given);
  const rounds = numberOf('rounds', values.rounds ?? (values.smoke ? 1 : ROUNDS), [ROUNDS]);
  for (const option of bench.without ?? []) {
    const used = option === 'rounds' ? rounds > 1 && values.against === undefined : values.set.length > 0;
    if (given.has(option) && used) throw new UsageError(`--${option} has no part in ${bench.name}`);
  }
  // Another commit is compared in processes that are started with these.
  const args = tokens.flatMap((token) =>
    token.kind === 'option' && !['against', 'rounds', 'keep'].includes(token.name)
      ? [token.value === undefined ? token.rawName : `${token.rawName}=${token.value}`]
      : [],
  );
  const before = load();
  await using shared = new Shared();
  const { against, set } = values;
  const here = new Here(against === undefined ? size : {}, { set, rounds, shared });
  if (against === undefined) await bench.measure(here);
  const table =
    against === undefined
      ? here.table(bench.columns)
      : await compared(bench, here, { commit: commitNamed(against), args, folder: await shared.folder() });
  const typed = process.argv.slice(3).filter((arg) => arg !== '--keep');
  const shownArgs = typed.map((arg) => (arg.includes('/') && existsSync(arg) ? basename(arg) : arg));
  const result: Result = {
    bench: bench.name,
    command: ['npm run bench --', bench.name, ...shownArgs].join(' '),
    ...commitOf(ROOT),
    at: new Date().toISOString().slice(0, 10),
    machine: machine(),
    load: [before, load()],
    tables: [table],
  };
  console.log(values.json ? JSON.stringify(result) : printed(result));
  if (values.keep)
    await appendFile(join(ROOT, 'bench', 'results', `${bench.name}.jsonl`), `${JSON.stringify(result)}\n`);
}

/** The options of a size, with what was given. @throws UsageError naming an option that has to be a number like its defaults. */
function sized({ full, smoke }: Bench['sizes'], isSmoke: boolean, given: ReadonlyMap<string, unknown>): Size {
  return Object.fromEntries(
    Object.entries(isSmoke ? smoke : full).map(([key, value]) => {
      const typed = given.get(key) ?? value;
      if (typeof typed === 'boolean') return [key, typed];
      return [key, typeof value === 'number' ? numberOf(key, typed, [full[key], smoke[key]]) : String(typed)];
    }),
  );
}

/** A number such as these: a whole one where they are, and 0 where one of them is. */
function numberOf(key: string, typed: unknown, such: readonly unknown[]): number {
  const value = typed === '' ? Number.NaN : Number(typed);
  const isWhole = such.every(Number.isInteger);
  const least = isWhole && !such.includes(0) ? 1 : 0;
  if (!(value >= least && value < Number.POSITIVE_INFINITY) || (isWhole && !Number.isInteger(value)))
    throw new UsageError(
      `--${key}: expected a ${isWhole ? 'whole ' : ''}number from ${least}; seen ${JSON.stringify(typed)}`,
    );
  return value;
}

function commitOf(folder: string): Pick<Result, 'commit' | 'dirty'> {
  try {
    const commit = git(folder, 'rev-parse', 'HEAD');
    return { commit, dirty: git(folder, 'status', '--porcelain', '--', 'src', 'topics') !== '' };
  } catch {
    return { commit: 'unknown', dirty: true };
  }
}

/** The short name of a commit, which says the same tomorrow. @throws UsageError where git knows none of this name. */
function commitNamed(name: string): string {
  try {
    return git(ROOT, 'rev-parse', '--verify', '--short=10', `${name}^{commit}`);
  } catch {
    throw new UsageError(`--against: expected a commit of this repository; seen ${name}`);
  }
}

/** Rounds of this commit and of another in turn, each in a process of its own. folder: where the other is put. */
async function compared(
  bench: Bench,
  here: Here,
  { commit, args, folder: other }: { commit: string; args: readonly string[]; folder: string },
): Promise<Result['tables'][number]> {
  const archive = execFileSync('git', ['archive', commit], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', other], { input: archive });
  await rm(join(other, 'bench'), { recursive: true, force: true });
  await cp(join(ROOT, 'bench'), join(other, 'bench'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(other, 'node_modules'));
  const { rounds } = here;
  const there = (column: string) => `${column}, at ${commit}`;
  for (let round = 0; round < rounds; round++) {
    for (const folder of [ROOT, other]) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${folder === ROOT ? 'this' : commit}\n`);
      const script = join(folder, 'bench', 'run.ts');
      const { stdout } = await ran([script, bench.name, ...args, '--rounds', '1', '--json'], process.env);
      const result: Result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
      for (const [name, ...cells] of result.tables[0]?.rows ?? []) {
        const figures = cells.map((cell) => [cell].flat()[0]);
        const named = bench.columns.flatMap((column, i) => {
          const figure = figures[i];
          return typeof figure === 'number' ? [[folder === ROOT ? column : there(column), figure]] : [];
        });
        here.record(String(name), Object.fromEntries(named));
      }
    }
  }
  const columns = bench.columns.flatMap((column) => [column, there(column)]);
  const { rows } = here.table(columns);
  return {
    columns: ['', ...columns, ...bench.columns.map((column) => `${column}, ratio`)],
    rows: rows.map(([name = '', ...cells]) => [
      name,
      ...cells,
      ...bench.columns.map((column) => here.ratio(String(name), column, there(column))),
    ]),
  };
}
