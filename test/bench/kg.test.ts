import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { Here, Shared } from '../../bench/harness.ts';
import { familyIn, kg } from '../../bench/kg.ts';
import { plainFigures } from './plain-ranks.ts';

/** By name of the row, and then of the column. */
type Rows = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function shared(): Shared {
  const all = new Shared();
  onTestFinished(() => all[Symbol.asyncDispose]());
  return all;
}

async function measure(
  set: readonly string[],
  size: Partial<typeof kg.sizes.full>,
  at: Shared = shared(),
): Promise<Rows> {
  const here = new Here({ ...kg.sizes.full, ...size }, { set, rounds: 1, shared: at });
  here.say = () => undefined;
  await kg.measure(here);
  const { columns, rows } = here.table(kg.columns);
  return Object.fromEntries(
    rows.map((row) => [row[0], Object.fromEntries(row.map((cell, i) => [columns[i], cell]))]),
  );
}

function expectPlain(
  { all }: Readonly<Record<string, Rows[string] | undefined>>,
  plain: ReturnType<typeof plainFigures>,
): void {
  expect(all?.['MRR']).toBeCloseTo(plain.mrr, 12);
  expect(all?.['hits@1']).toBeCloseTo(plain.hits1, 12);
  expect(all?.['hits@3']).toBeCloseTo(plain.hits3, 12);
  expect(all?.['hits@10']).toBeCloseTo(plain.hits10, 12);
}

describe('the bench of knowledge graphs', () => {
  it.each([
    ['transe-l1', 1],
    ['transe-l2', 1],
    ['transe-l2-squared', 1],
    ['twhin', 1],
    ['transe-l2', 2],
  ])(
    'gives the figures that a plain ranking of the exported vectors gives, with %s and %i shards',
    async (scorer, shards) => {
      const at = shared();
      const files = await familyIn(await at.folder());
      const to = join(await at.folder(), 'export');
      // Shards hear of each other after each batch, and all triples would be one.
      const set = [`scorer=${scorer}`, 'dim=12', 'training.batchEdges=32'];
      const found = await measure(set, { ...files, passes: 8, shards, export: to }, at);
      expectPlain(found, plainFigures(to, files));
      expect(found['all']?.['MRR']).toBeGreaterThan(0.2);
    },
  );

  it('says the same twice, means the same by one pass as by a stream, and lets --set win over its own settings', async () => {
    const at = shared();
    const files = await familyIn(await at.folder());
    const run = async (size: Partial<typeof kg.sizes.full>, ...set: string[]) => {
      const { all } = await measure(['dim=16', ...set], { ...files, ...size }, at);
      return [all?.['MRR'], all?.['hits@10'], all?.['mean rank']];
    };
    const one = await run({ passes: 1 });
    expect(await run({ passes: 1 })).toEqual(one);
    const [usual, slower] = [await run({ passes: 3 }), await run({ passes: 3 }, 'learningRate=0.001')];
    expect(slower[0]).toBeLessThan(Number(usual[0]));
    const stream = join(await at.folder(), 'stream.tsv');
    const parts = await Promise.all(
      (['train', 'valid', 'test'] as const).map(async (part) =>
        (await readFile(files[part], 'utf8')).trimEnd().replaceAll(/^/gm, `0\t${part}\t`),
      ),
    );
    await writeFile(stream, parts.join('\n'));
    expect(await run({ train: '', valid: '', test: '', stream })).toEqual(one);
  });

  it('says what was never trained, by relation, and the mean of several seeds', async () => {
    const found = await measure(['dim=8'], { passes: 2, seeds: 2 });
    const [one, two, mean] = ['seed 1', 'seed 2', 'mean of 2 seeds'].map((row) =>
      Number(found[row]?.['MRR']),
    );
    expect(mean).toBeCloseTo((one! + two!) / 2, 12);
    expect(found['triples with an entity that has no training']?.['questions']).toBe(2);
    expect(found['triples with a relation that has no training']?.['questions']).toBe(1);
    expect(Object.keys(found)).toEqual(expect.arrayContaining(['tails', 'heads', 'same clan']));
  });

  it('gives the figures of each snapshot and of each category of relations', async () => {
    const at = shared();
    const files = await familyIn(await at.folder());
    const lines = async (part: 'train' | 'valid' | 'test') =>
      (await readFile(files[part], 'utf8')).trimEnd().split('\n');
    const stream = join(await at.folder(), 'stream.tsv');
    // What is asked of the clans comes with snapshot 10, the rest with snapshot 4.
    const ofClans = (line: string) => line.includes('same clan');
    const parts = (['train', 'valid', 'test'] as const).map(async (part) =>
      (await lines(part)).map((line) => `${ofClans(line) ? 10 : 4}\t${part}\t${line}`),
    );
    await writeFile(stream, (await Promise.all(parts)).flat().join('\n'));
    const to = join(await at.folder(), 'export');
    const found = await measure(['dim=16'], { stream, export: to }, at);
    const [clans, others] = [
      (await lines('test')).filter(ofClans),
      (await lines('test')).filter((line) => !ofClans(line)),
    ];
    const plain = async (asked: readonly string[], known: readonly string[]) => {
      const [test, valid] = [join(await at.folder(), 'test.txt'), join(await at.folder(), 'valid.txt')];
      await writeFile(test, asked.join('\n'));
      await writeFile(valid, [...known, ...(await lines('valid'))].join('\n'));
      return plainFigures(to, { train: files.train, valid, test });
    };
    expectPlain({ all: found['snapshot 10'] }, await plain(clans, others));
    expectPlain({ all: found['snapshot 4'] }, await plain(others, clans));
    // All of a clan know each other, many live in a town and are children of one, and nobody was seen to fear.
    expect(found['N-N, tails']?.['questions']).toBe(clans.length);
    const mrr = (row: string) => Number(found[row]?.['questions']) * Number(found[row]?.['MRR']);
    const ofOthers = ['N-1, tails', 'N-1, heads', '1-1, tails', '1-1, heads'].map(mrr);
    expect(ofOthers.reduce((sum, each) => sum + each, 0)).toBeCloseTo(mrr('snapshot 4'), 10);
    expect(mrr('N-1, tails') + mrr('N-N, tails') + mrr('1-1, tails')).toBeCloseTo(mrr('tails'), 10);
    expect(found['1-1, tails']?.['questions']).toBe(1);
    expect(Object.keys(found)).not.toContain('1-N, tails');
  });

  it.each([
    [{ rank: 'train' }, '--rank: expected valid or test; seen train'],
    [{ seeds: 0 }, 'seen --passes 20 --seeds 0 --shards 1'],
    [{ seeds: 2, export: 'x' }, '--export writes the vectors of one seed; seen --seeds 2'],
    [{ test: 'test.txt', stream: 'stream.tsv' }, '--stream names a file with all three parts'],
  ])('refuses %j before anything is trained', async (size, message) => {
    await expect(measure([], size)).rejects.toThrow(message);
  });

  it('names the line of a bad triple', async () => {
    const at = shared();
    const bad = join(await at.folder(), 'bad.txt');
    await writeFile(bad, 'a\tb\tc\na\tb\n');
    await expect(measure([], { train: bad, test: bad }, at)).rejects.toThrow(
      'bad.txt, line 2: expected 3 fields',
    );
    await writeFile(bad, '0\tdev\ta\tb\tc\n');
    await expect(measure([], { stream: bad }, at)).rejects.toThrow('bad.txt, line 1: expected 5 fields');
  });
});

const DATA = process.env['TWHIN_KG'] ?? '';
test.skipIf(DATA === '').each(['umls', 'nations'])(
  'agrees exactly with a plain ranking on %s (skipped unless TWHIN_KG names a folder with umls and nations)',
  async (name) => {
    const at = shared();
    const part = (of: string) => join(DATA, name, `${of}.txt`);
    const files = { train: part('train'), valid: part('valid'), test: part('test') };
    const to = join(await at.folder(), 'export');
    expectPlain(await measure(['dim=32'], { ...files, export: to }, at), plainFigures(to, files));
  },
);
