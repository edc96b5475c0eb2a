import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { json, type Place, place } from '../captured.ts';
import { plainFigures } from './plain-ranks.ts';

let here: Place;
let temporary = '';
let files: { train: string; valid: string; test: string };
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'twhin-kg-test-'));
  here = await place({ TMPDIR: temporary });
  files = await writeFamily(here.folder);
});
afterAll(async () => {
  await here.remove();
  await rm(temporary, { recursive: true, force: true });
});

/** Forty people in four clans: who is whose child, who is of the same clan, and who lives where. */
async function writeFamily(folder: string) {
  const triples: string[] = [];
  for (let i = 0; i < 40; i++) {
    const [clan, parent] = [i % 4, Math.floor(i / 8) * 4 + (i % 4)];
    triples.push(`person ${i}\tlives in\ttown ${clan}`);
    if (parent !== i) triples.push(`person ${i}\tchild of\tperson ${parent}`);
    for (let other = clan; other < 40; other += 4) {
      if (other !== i) triples.push(`person ${i}\tsame clan\tperson ${other}`);
    }
  }
  // Every seventh triple is asked, every eleventh is known and not trained.
  const part = (of: (i: number) => boolean) => `${triples.filter((_, i) => of(i)).join('\n')}\n`;
  const paths = {
    train: join(folder, 'train.txt'),
    valid: join(folder, 'valid.txt'),
    test: join(folder, 'test.txt'),
  };
  await writeFile(
    paths.train,
    part((i) => i % 7 !== 0 && i % 11 !== 0),
  );
  await writeFile(
    paths.valid,
    part((i) => i % 7 !== 0 && i % 11 === 0),
  );
  // One asks of somebody, and one by a relation, that no training triple has.
  await writeFile(
    paths.test,
    `${part((i) => i % 7 === 0)}stranger\tlives in\ttown 1\nperson 1\tfears\tperson 2\n`,
  );
  return paths;
}

function asked({ train, valid, test: tested }: typeof files): string[] {
  return ['evaluate', 'kg', '--train', train, '--valid', valid, '--test', tested];
}

describe('twhin evaluate kg', () => {
  it.each(['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'])(
    'gives the figures that a plain ranking of the exported vectors gives, with %s',
    async (scorer) => {
      const to = join(here.folder, `export-${scorer}`);
      const set = ['--set', `scorer=${scorer}`, '--set', 'dim=12', '--passes', '6'];
      const said = await here.run(...asked(files), ...set, '--export', to, '--json');
      expect(said.code).toBe(0);
      const { mrr, hits1, hits3, hits10 } = json(said) as Record<string, number>;
      const plain = plainFigures(to, files);
      expect(hits1).toBeCloseTo(plain.hits1, 12);
      expect(hits3).toBeCloseTo(plain.hits3, 12);
      expect(hits10).toBeCloseTo(plain.hits10, 12);
      expect(mrr).toBeCloseTo(plain.mrr, 12);
      expect(mrr).toBeGreaterThan(0.2);
      expect((await readdir(to)).sort()).toEqual([
        'entities.npy',
        'entities.txt',
        'model.json',
        'reciprocals.npy',
        'relations.npy',
        'relations.txt',
      ]);
    },
  );

  it('says the same twice, means the same by one pass as by a stream, and lets --set win over its own settings', async () => {
    const run = async (...more: string[]) =>
      json(await here.run(...asked(files), '--set', 'dim=16', '--json', ...more)) as Record<string, unknown>;
    const figures = ({ mrr, hits1, hits10, meanRank }: Record<string, unknown>) => ({
      mrr,
      hits1,
      hits10,
      meanRank,
    });
    const [one, again] = [await run('--passes', '1'), await run('--passes', '1')];
    expect(figures(again)).toEqual(figures(one));
    const [usual, slower] = [
      await run('--passes', '3'),
      await run('--passes', '3', '--set', 'learningRate=0.001'),
    ];
    expect(slower['mrr']).toBeLessThan(Number(usual['mrr']));
    const stream = join(here.folder, 'stream.tsv');
    const parts = await Promise.all(
      (['train', 'valid', 'test'] as const).map(async (part) =>
        (await readFile(files[part], 'utf8')).trimEnd().replaceAll(/^/gm, `0\t${part}\t`),
      ),
    );
    await writeFile(stream, parts.join('\n'));
    const streamed = json(await here.run('evaluate', 'kg', '--stream', stream, '--set', 'dim=16', '--json'));
    expect(figures(streamed as Record<string, unknown>)).toEqual(figures(one));
  });

  it('trains all shards of a graph in step, and ranks with the vectors of all of them', async () => {
    // Shards hear of each other after each batch, and all triples would be one.
    const set = ['--set', 'dim=12', '--set', 'training.batchEdges=32', '--passes', '20', '--json'];
    const to = join(here.folder, 'sharded');
    const said = await here.run(...asked(files), ...set, '--shards', '2', '--export', to);
    expect(said.code).toBe(0);
    const { mrr, hits10, entities } = json(said) as Record<string, number>;
    const plain = plainFigures(to, files);
    expect(hits10).toBeCloseTo(plain.hits10, 12);
    expect(mrr).toBeCloseTo(plain.mrr, 12);
    // Without the edges whose ends belong to two shards, most of the graph would not be learned.
    const whole = json(await here.run(...asked(files), ...set)) as Record<string, number>;
    expect(entities).toBe(whole['entities']);
    expect(mrr).toBeGreaterThan(0.6 * whole['mrr']!);
    const none = await here.run(...asked(files), '--shards', '0');
    expect(none.code).toBe(2);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('says what was never trained, by relation and by category, and the mean of several seeds', async () => {
    const said = await here.run(...asked(files), '--set', 'dim=8', '--passes', '2', '--seeds', '2');
    const text = said.out.join('\n');
    expect(text).toContain('1 triples have an entity without training');
    expect(text).toContain('1 have a relation without training');
    expect(text).toMatch(/mean of 2 seeds: MRR 0\.\d{4}/);
    expect(text).toMatch(/N-1, tails +\d/);
    expect(text).toMatch(/same clan +\d/);
  });

  it('leaves no folder behind, and nothing of the export when it is refused', async () => {
    const filled = join(here.folder, 'filled');
    await mkdir(filled, { recursive: true });
    await writeFile(join(filled, 'mine.txt'), 'mine');
    const said = await here.run(...asked(files), '--export', filled);
    expect(said.code).toBe(2);
    expect(said.err.join('\n')).toContain(`--export: ${filled} is not empty`);
    expect(await readdir(filled)).toEqual(['mine.txt']);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('names the line of a bad triple, and every contradiction of the options', async () => {
    const bad = join(here.folder, 'bad.txt');
    await writeFile(bad, 'a\tb\tc\na\tb\n');
    const wrong = await here.run('evaluate', 'kg', '--train', bad, '--test', files.test);
    expect(wrong.code).toBe(2);
    expect(wrong.err.join('\n')).toContain(`${bad}, line 2: expected head, relation, tail`);
    const none = await here.run('evaluate', 'kg', '--export', 'x', '--seeds', '2');
    expect(none.code).toBe(2);
    const text = none.err.join('\n');
    for (const part of [
      '--train: expected',
      '--test: expected',
      '--export: writes the vectors of one seed',
    ]) {
      expect(text).toContain(part);
    }
    const mixed = await here.run(...asked(files), '--stream');
    expect(mixed.code).toBe(2);
    expect(mixed.err.join('\n')).toContain(
      '--train, --valid, --test: the file of --stream holds all three parts',
    );
    const setting = await here.run(...asked(files), '--set', 'dim=zero');
    expect(setting.err.join('\n')).toContain('model.dim');
  });
});

const DATA = process.env['TWHIN_KG'] ?? '';
test.skipIf(DATA === '').each(['umls', 'nations'])(
  'agrees exactly with a plain ranking on %s (skipped unless TWHIN_KG names a folder with umls and nations)',
  async (name) => {
    const [train, valid, tested] = ['train', 'valid', 'test'].map((part) => join(DATA, name, `${part}.txt`));
    const real = { train: train!, valid: valid!, test: tested! };
    const to = join(here.folder, `export-${name}`);
    const said = await here.run(...asked(real), '--set', 'dim=32', '--export', to, '--json');
    const { mrr, hits1, hits3, hits10 } = json(said) as Record<string, number>;
    const plain = plainFigures(to, real);
    expect({ hits1, hits3, hits10 }).toEqual({
      hits1: plain.hits1,
      hits3: plain.hits3,
      hits10: plain.hits10,
    });
    expect(mrr).toBeCloseTo(plain.mrr, 12);
  },
);
