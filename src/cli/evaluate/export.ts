import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keepOnExit, removeOnExit } from '../../adapters/leftovers.ts';
import type { TrainedGraph } from '../../compose/knowledge-graph.ts';
import { FatalError, reasonOf, TwhinError, UsageError } from '../../errors/errors.ts';
import { npy } from '../../evaluation/graph/npy.ts';
import { keyOf, relationName } from '../../evaluation/graph/triple-log.ts';
import type { KnowledgeGraph } from '../../evaluation/graph/triples.ts';
import type { Space } from '../../evaluation/space.ts';
import type { ModelSettings } from '../../model/settings.ts';

/** Refuses a folder that holds something. option: the one that named it. @throws UsageError. */
export async function refuseFilled(folder: string, option = '--export'): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`${option}: ${folder} can't be written: ${reasonOf(error)}`);
  });
  if (found.length > 0)
    throw new UsageError(`${option}: ${folder} is not empty; name a folder that does not exist yet`);
}

/**
 * Writes the vectors of a trained graph for other programs: entities.npy [n, dim], relations.npy and reciprocals.npy, the
 * names of their rows beside them, and model.json, which says how to score. The folder appears whole or not at all.
 * @throws FatalError `file` when it can't be written.
 */
export async function exportVectors(
  folder: string,
  triples: KnowledgeGraph,
  { graphs }: TrainedGraph,
  space: Space,
): Promise<void> {
  const { dim } = space.table;
  const matrix = (rows: readonly number[]) => {
    const values = new Float32Array(rows.length * dim);
    rows.forEach((row, i) => {
      values.set(space.table.vector(row), i * dim);
    });
    return npy(values, rows.length, dim);
  };
  const relations = (reverse: boolean) =>
    triples.relations.map((_, i) => space.relationRow(relationName(i), reverse));
  const files = {
    'entities.npy': matrix(triples.entities.map((_, i) => space.rowOf(keyOf(i))!)),
    'entities.txt': lines(triples.entities),
    'relations.npy': matrix(relations(false)),
    'relations.txt': lines(triples.relations),
    'reciprocals.npy': matrix(relations(true)),
    'model.json': `${JSON.stringify(describeModel(graphs[0]!.trainer.model), null, 2)}\n`,
  };
  await inWholeFolder(folder, async (partial) => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(partial, name), content);
  });
}

/** Fills a folder beside, which takes the name once it is whole. @throws FatalError `file` when it can't be written. */
export async function inWholeFolder(folder: string, fill: (partial: string) => Promise<void>): Promise<void> {
  const partial = `${folder}.partial-${process.pid}`;
  removeOnExit(partial);
  try {
    await mkdir(partial, { recursive: true });
    await fill(partial);
    // An empty folder of that name gives way.
    await rename(partial, folder);
  } catch (error) {
    // Where its folder is none, nothing is there to remove; what failed is told below.
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    if (error instanceof TwhinError) throw error;
    throw new FatalError(
      'file',
      `${folder} can't be written: ${reasonOf(error)}; free space, or name another folder, and give the same command again`,
      { cause: error },
    );
  } finally {
    keepOnExit(partial);
  }
}

function lines(names: readonly string[]): string {
  return names.map((name) => `${name}\n`).join('');
}

/** How the vectors are scored, in words that need nothing of this program. */
export function describeModel({ dim, scorer, beta }: ModelSettings) {
  const common = { dim, scale: beta, reciprocals: true };
  const [q, c] = ['entities[h] + relations[r]', 'entities[t]'];
  const heads =
    'to find h: entities[t] + reciprocals[r] in place of entities[h] + relations[r], and entities[h] in place of entities[t]';
  switch (scorer) {
    case 'twhin':
      return { scorer: 'dot', ...common, score: `scale * dot(${q}, ${c})`, heads };
    case 'transe-l1':
      return { scorer: 'transe', norm: 1, ...common, score: `-scale * sum(abs(${q} - ${c}))`, heads };
    case 'transe-l2':
      return { scorer: 'transe', norm: 2, ...common, score: `-scale * sqrt(sum((${q} - ${c}) ** 2))`, heads };
    case 'transe-l2-squared':
      return {
        scorer: 'transe',
        norm: 2,
        squared: true,
        ...common,
        score: `-scale * sum((${q} - ${c}) ** 2)`,
        heads,
      };
  }
}
