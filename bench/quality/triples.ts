import { execFile } from 'node:child_process';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Head, relation and tail by index. */
export type Triple = readonly [head: number, relation: number, tail: number];

/** A knowledge graph cut into what is learned and what is asked. */
export interface KnowledgeGraph {
  readonly entities: number;
  readonly relations: number;
  readonly train: readonly Triple[];
  readonly valid: readonly Triple[];
  readonly test: readonly Triple[];
}

/** Reads `train.txt`, `valid.txt` and `test.txt` (head, relation, tail, by tabs) of a folder, or of a .tar.gz of them. */
export async function readGraph(path: string, work: string): Promise<KnowledgeGraph> {
  let folder = path;
  if ((await stat(path)).isFile()) {
    folder = join(work, 'triples');
    await mkdir(folder, { recursive: true });
    await promisify(execFile)('tar', ['-xzf', path, '-C', folder]);
  }
  const entities = new Map<string, number>();
  const relations = new Map<string, number>();
  const read = async (name: string): Promise<Triple[]> => {
    const text = await readFile(join(folder, `${name}.txt`), 'utf8');
    return text
      .split(/\r?\n/)
      .filter((line) => line !== '')
      .map((line) => {
        const [head = '', relation = '', tail = ''] = line.split('\t');
        return [indexOf(entities, head), indexOf(relations, relation), indexOf(entities, tail)];
      });
  };
  const [train, valid, test] = [await read('train'), await read('valid'), await read('test')];
  return { entities: entities.size, relations: relations.size, train, valid, test };
}

function indexOf(known: Map<string, number>, name: string): number {
  const index = known.get(name) ?? known.size;
  known.set(name, index);
  return index;
}
