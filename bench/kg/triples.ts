import { basename, join } from 'node:path';
import { UsageError } from '../../src/errors/errors.ts';
import { linesOf } from '../lines.ts';

/** Edges of a knowledge graph by index: `head relation tail` of the literature is lhs, relation and rhs here. */
export interface IndexedTriples {
  readonly lhs: Int32Array;
  readonly relation: Int32Array;
  readonly rhs: Int32Array;
  /** The number of the snapshot that each came with; 0 in a graph without snapshots. */
  readonly snapshot: Int32Array;
}

/** A knowledge graph, cut into what is learned and what is asked. */
export interface KnowledgeGraph {
  /** Names by index, in the order of first appearance. */
  readonly entities: readonly string[];
  readonly relations: readonly string[];
  readonly train: IndexedTriples;
  readonly valid: IndexedTriples;
  readonly test: IndexedTriples;
  /** The end of each snapshot in `train`; a graph without snapshots has one. */
  readonly snapshots: readonly number[];
}

type Split = 'train' | 'valid' | 'test';
const SPLITS: readonly Split[] = ['train', 'valid', 'test'];

/** More relations than a trainer has room for. */
const MOST_RELATIONS = 256;

/** The files of a folder with a file for each part, as they are usually named. */
export function partsIn(folder: string): Record<Split, string> {
  const file = (split: Split) => join(folder, `${split}.txt`);
  return { train: file('train'), valid: file('valid'), test: file('test') };
}

/**
 * Reads a knowledge graph from a file for each part, with `head relation tail` on a line; an empty name: there is none.
 * @throws naming file and line of what is wrong, or the part that has no triple.
 */
export async function readGraph(files: Readonly<Record<Split, string>>): Promise<KnowledgeGraph> {
  const reader = new TripleReader();
  for (const split of SPLITS)
    if (files[split] !== '') await reader.read(files[split], 3, (fields) => reader.put(split, fields));
  return reader.graph();
}

/**
 * Reads a knowledge graph that grows by snapshots, from one file with `snapshot split head relation tail` on a line: the
 * format of the LKGE streams (Cui et al. 2023). Training triples come in the order of their snapshots. @throws as {@link readGraph}.
 */
export async function readSnapshots(file: string): Promise<KnowledgeGraph> {
  const reader = new TripleReader();
  await reader.read(file, 5, ([snapshot, part, ...triple]) => {
    const split = SPLITS.find((each) => each === part);
    if (split === undefined || !/^\d{1,6}$/.test(snapshot ?? '')) return false;
    return reader.put(split, triple, Number(snapshot));
  });
  return reader.graph();
}

/** Gathers triples, and gives names their indices. */
class TripleReader {
  readonly #entities = new Map<string, number>();
  readonly #relations = new Map<string, number>();
  readonly #triples: Record<Split, number[][]> = { train: [], valid: [], test: [] };

  /** take: gives false for fields that mean nothing. */
  async read(file: string, columns: number, take: (fields: readonly string[]) => boolean): Promise<void> {
    let line = 0;
    for await (const text of linesOf(file)) {
      line++;
      if (text.trim() === '') continue;
      const fields = (text.includes('\t') ? text.split('\t') : text.trim().split(/ +/)).map((field) =>
        field.trim(),
      );
      if (fields.length !== columns || fields.includes('') || !take(fields))
        throw new UsageError(
          `${basename(file)}, line ${line}: expected ${columns} fields with tabs between them, seen ${JSON.stringify(text)}`,
        );
    }
  }

  put(split: Split, [head = '', relation = '', tail = '']: readonly string[], snapshot = 0): boolean {
    const lhs = indexOf(this.#entities, head);
    const index = indexOf(this.#relations, relation);
    this.#triples[split].push([lhs, index, indexOf(this.#entities, tail), snapshot]);
    return true;
  }

  graph(): KnowledgeGraph {
    for (const split of ['train', 'test'] as const)
      if (this.#triples[split].length === 0) throw new UsageError(`expected a triple to ${split}; seen none`);
    if (this.#relations.size > MOST_RELATIONS)
      throw new UsageError(`${this.#relations.size} relations; at most ${MOST_RELATIONS} are possible`);
    // A stable sort: within a snapshot the order of the file stays.
    const train = this.#triples.train.sort(([, , , a = 0], [, , , b = 0]) => a - b);
    return {
      entities: [...this.#entities.keys()],
      relations: [...this.#relations.keys()],
      train: indexed(train),
      valid: indexed(this.#triples.valid),
      test: indexed(this.#triples.test),
      snapshots: train.flatMap(([, , , snapshot], i) => (train[i + 1]?.[3] === snapshot ? [] : [i + 1])),
    };
  }
}

function indexed(triples: readonly (readonly number[])[]): IndexedTriples {
  const column = (field: number) => Int32Array.from(triples, (triple) => triple[field]!);
  return { lhs: column(0), relation: column(1), rhs: column(2), snapshot: column(3) };
}

function indexOf(known: Map<string, number>, name: string): number {
  const index = known.get(name) ?? known.size;
  known.set(name, index);
  return index;
}
