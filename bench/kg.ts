import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { npy } from '../src/adapters/npy.ts';
import type { GraphConfig } from '../src/config/resolve.ts';
import { reasonOf, UsageError } from '../src/errors/errors.ts';
import type { Space } from '../src/evaluation/space.ts';
import { describeModel } from '../src/model/settings.ts';
import { defineBench, type Figures, type Here } from './harness.ts';
import { progressOn } from './in-process.ts';
import { type LinkPrediction, predictLinks, RANKS } from './kg/link-prediction.ts';
import { type KnowledgeGraphTraining, trainGraph } from './kg/training.ts';
import { keyOf, relationName } from './kg/triple-log.ts';
import { type KnowledgeGraph, partsIn, readGraph, readSnapshots } from './kg/triples.ts';

const FULL = {
  ...{ train: '', valid: '', test: '', stream: '' },
  ...{ passes: 20, rank: 'test', seeds: 1, shards: 1, export: '' },
};
const CPU = 'µs of CPU an update';
const RATE = 'updates/s';

/**
 * Filtered link prediction on a knowledge graph, as the literature measures it. Trains in a temporary store through the updater of
 * `twhin run`, then ranks both ends of each triple among all entities; other known answers are left out, and a tie counts half. No
 * configuration has a part in it. With several passes nothing is rehearsed, the learning rate falls linearly from 0.1, and beta is
 * 12; --set overrides all three. --train, --valid, --test: head, relation and tail on a line; --stream: snapshot, split, head,
 * relation and tail; each may be gzip. --shards: updaters that the graph is cut into, ranked together. --export: a folder for the
 * vectors as .npy with their names, so that anyone can rank again. With several seeds every figure is their mean.
 */
export const kg = defineBench({
  name: 'kg',
  what: 'filtered link prediction on a knowledge graph',
  docs: 'quality.md#knowledge-graphs',
  measures: ['src/kernels', 'src/model', 'src/sampling', 'src/pipeline/training', 'src/evaluation'],
  sizes: { full: FULL, smoke: { ...FULL, passes: 2, shards: 2 } },
  without: ['rounds'],
  columns: [...RANKS, RATE, CPU],
  async measure(here) {
    const { stream, rank, seeds, shards, export: to } = here.size;
    if (rank !== 'valid' && rank !== 'test')
      throw new UsageError(`--rank: expected valid or test; seen ${rank}`);
    if (to !== '' && seeds > 1)
      throw new UsageError(`--export writes the vectors of one seed; seen --seeds ${seeds}`);
    const triples = await triplesOf(here);
    const passes = stream === '' ? here.size.passes : 1;
    if (Math.min(passes, seeds, shards, triples[rank].lhs.length) < 1)
      throw new UsageError(
        `expected a pass, a seed, a shard and a ${rank} triple at least; seen --passes ${passes} --seeds ${seeds} --shards ${shards}`,
      );
    if (to !== '') await makeFolder(to);
    const means = new Map<string, Figures[]>();
    const add = (row: string, figures: Figures) => means.set(row, [...(means.get(row) ?? []), figures]);
    let unseen: LinkPrediction['unseen'] | undefined;
    for (let seed = 1; seed <= seeds; seed++) {
      here.say(`seed ${seed}`);
      const folder = await here.folder();
      const asked = { passes, rank, seed, shards, settings: here.set, folder } as const;
      const { figures, cost, space, trainer } = await measureGraph(triples, asked, here.say);
      const all = { ...figures.all, ...cost };
      if (seeds > 1) here.record(`seed ${seed}`, all);
      add(seeds > 1 ? `mean of ${seeds} seeds` : 'all', all);
      for (const [name, part] of figures.parts) add(name, part);
      unseen = figures.unseen;
      if (to !== '') await exportVectors(to, triples, trainer, space);
    }
    for (const [row, figures] of means) {
      const mean = (column: string) => figures.reduce((sum, each) => sum + each[column]!, 0) / seeds;
      here.record(row, Object.fromEntries(Object.keys(figures[0]!).map((column) => [column, mean(column)])));
    }
    here.record('triples with an entity that has no training', { questions: unseen!.entities });
    here.record('triples with a relation that has no training', { questions: unseen!.relations });
  },
});

/** @throws UsageError where something is there already, or the folder can't be made. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    throw new UsageError(
      `--export: expected a folder that is not there yet, in one that is; seen ${path}: ${reasonOf(error)}`,
    );
  }
}

/** The triples of the named files; of a made family where no file is named. */
async function triplesOf(here: Pick<Here<typeof kg.sizes.full>, 'size' | 'folder'>): Promise<KnowledgeGraph> {
  const { train, valid, test, stream } = here.size;
  const named = train !== '' || valid !== '' || test !== '';
  if (stream === '') return readGraph(named ? { train, valid, test } : await familyIn(await here.folder()));
  if (named)
    throw new UsageError('--stream names a file with all three parts; leave --train, --valid and --test out');
  return readSnapshots(stream);
}

/** Trains and ranks once. */
async function measureGraph(
  triples: KnowledgeGraph,
  { rank, ...training }: KnowledgeGraphTraining & { readonly rank: 'valid' | 'test' },
  say: (line: string) => void,
) {
  const began = [performance.now(), process.cpuUsage()] as const;
  const { trainer, space } = await trainGraph(triples, training);
  const seconds = (performance.now() - began[0]) / 1000;
  const { user, system } = process.cpuUsage(began[1]);
  const updates = triples.train.lhs.length * training.passes * trainer.updatesPerEdge;
  const meter = progressOn(say).meter('triples ranked');
  const part = triples[rank];
  const figures = await predictLinks(triples, part, space, (done) => meter(done, part.lhs.length));
  return { figures, cost: { [RATE]: updates / seconds, [CPU]: (user + system) / updates }, trainer, space };
}

/**
 * Writes the vectors of a trained graph for other programs: entities.npy [n, dim], relations.npy and reciprocals.npy, the names of
 * their rows beside them, and model.json, which says how to score.
 */
async function exportVectors(
  folder: string,
  triples: KnowledgeGraph,
  { model }: GraphConfig['trainer'],
  space: Space,
): Promise<void> {
  const { dim } = space.table;
  const matrix = (rows: readonly number[]) => {
    const values = new Float32Array(rows.length * dim);
    rows.forEach((row, i) => void values.set(space.table.vector(row), i * dim));
    return npy(values, [rows.length, dim]);
  };
  const relations = (reverse: boolean) =>
    triples.relations.map((_, i) => space.relationRow(relationName(i), reverse));
  const lines = (names: readonly string[]) => names.map((name) => `${name}\n`).join('');
  for (const [name, content] of Object.entries({
    'entities.npy': matrix(triples.entities.map((_, i) => space.rowOf(keyOf(i))!)),
    'entities.txt': lines(triples.entities),
    'relations.npy': matrix(relations(false)),
    'relations.txt': lines(triples.relations),
    'reciprocals.npy': matrix(relations(true)),
    'model.json': `${JSON.stringify(describeModel(model), null, 2)}\n`,
  }))
    await writeFile(join(folder, name), content);
}

/** Forty people in four clans: who is whose child, who is of the same clan, and who lives where. */
export async function familyIn(folder: string): Promise<ReturnType<typeof partsIn>> {
  const triples: string[] = [];
  for (let i = 0; i < 40; i++) {
    const [clan, parent] = [i % 4, Math.floor(i / 8) * 4 + (i % 4)];
    triples.push(`person ${i}\tlives in\ttown ${clan}`);
    if (parent !== i) triples.push(`person ${i}\tchild of\tperson ${parent}`);
    for (let other = clan; other < 40; other += 4)
      if (other !== i) triples.push(`person ${i}\tsame clan\tperson ${other}`);
  }
  // Every seventh triple is asked, every eleventh is known and not trained. Two ask of strangers, who tie, and one by a new relation.
  const split = Map.groupBy(triples, (_, i) => (i % 7 === 0 ? 'test' : i % 11 === 0 ? 'valid' : 'train'));
  split
    .get('test')
    ?.push('stranger\tlives in\ttown 1', 'guest\tlives in\ttown 2', 'person 1\tfears\tperson 2');
  const files = partsIn(folder);
  for (const [part, lines] of split) await writeFile(files[part], `${lines.join('\n')}\n`);
  return files;
}
