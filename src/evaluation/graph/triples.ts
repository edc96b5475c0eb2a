import { UsageError } from '../../errors/errors.ts';

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

/** A line of a file; bytes is null where the line was too long to be read. */
export interface TextLine {
  readonly line: number;
  readonly bytes: Buffer | null;
}

/** A file of triples, named as the person named it. */
export interface TripleFile {
  readonly name: string;
  readonly lines: AsyncIterable<TextLine>;
}

type Split = 'train' | 'valid' | 'test';

/** More relations than a trainer has room for. */
const MOST_RELATIONS = 256;
/** Wrong lines that a refusal names. */
const MOST_NAMED = 5;
const SHOWN = 80;

/**
 * Reads a knowledge graph from a file for each part, with `head relation tail` on a line.
 * @throws UsageError naming file and line of what is wrong, or the part that has no triple.
 */
export async function readGraph(
  files: Readonly<Partial<Record<Split, TripleFile>>>,
): Promise<KnowledgeGraph> {
  const reader = new TripleReader();
  for (const split of ['train', 'valid', 'test'] as const) {
    const file = files[split];
    if (file === undefined) continue;
    for await (const { line, bytes } of file.lines) {
      const fields = reader.fields(file.name, line, bytes, ['head', 'relation', 'tail']);
      if (fields !== undefined) reader.put(split, fields);
    }
  }
  return reader.graph(files);
}

/**
 * Reads a knowledge graph that grows by snapshots, from one file with `snapshot split head relation tail` on a line: the
 * format of the LKGE streams (Cui et al. 2023). Training triples come in the order of their snapshots.
 * @throws UsageError as {@link readGraph}.
 */
export async function readSnapshots(file: TripleFile): Promise<KnowledgeGraph> {
  const reader = new TripleReader();
  const columns = ['snapshot', 'split', 'head', 'relation', 'tail'];
  for await (const { line, bytes } of file.lines) {
    const fields = reader.fields(file.name, line, bytes, columns);
    if (fields === undefined) continue;
    const [snapshot = '', split = '', ...triple] = fields;
    if (!/^\d{1,6}$/.test(snapshot) || !isSplit(split)) {
      const expected = 'a snapshot number and one of train, valid, test';
      reader.wrong(file.name, line, `expected ${expected}, seen ${shown(`${snapshot} ${split}`)}`);
    } else reader.put(split, triple, Number(snapshot));
  }
  return reader.graph({ train: file, test: file });
}

function isSplit(text: string): text is Split {
  return text === 'train' || text === 'valid' || text === 'test';
}

/** Gathers triples, and gives names their indices. */
class TripleReader {
  readonly #entities = new Map<string, number>();
  readonly #relations = new Map<string, number>();
  readonly #triples: Record<Split, number[][]> = { train: [], valid: [], test: [] };
  readonly #problems: string[] = [];
  #wrongLines = 0;

  /** The fields of a line; undefined for a blank line and for a wrong one. */
  fields(file: string, line: number, bytes: Buffer | null, columns: readonly string[]): string[] | undefined {
    if (bytes === null) {
      this.wrong(file, line, 'the line is too long');
      return undefined;
    }
    const text = bytes.toString('utf8');
    if (text.trim() === '') return undefined;
    const fields = text.includes('\t') ? text.split('\t') : text.trim().split(/ +/);
    const all = fields.map((field) => field.trim());
    if (all.length === columns.length && !all.includes('')) return all;
    this.wrong(file, line, `expected ${columns.join(', ')} with tabs between them, seen ${shown(text)}`);
    return undefined;
  }

  wrong(file: string, line: number, what: string): void {
    this.#wrongLines++;
    if (this.#problems.length < MOST_NAMED) this.#problems.push(`${file}, line ${line}: ${what}`);
  }

  put(split: Split, [head = '', relation = '', tail = '']: readonly string[], snapshot = 0): void {
    const lhs = indexOf(this.#entities, head);
    const index = indexOf(this.#relations, relation);
    this.#triples[split].push([lhs, index, indexOf(this.#entities, tail), snapshot]);
  }

  graph(files: Readonly<Partial<Record<Split, TripleFile>>>): KnowledgeGraph {
    const problems = [...this.#problems];
    if (this.#wrongLines > problems.length)
      problems.push(`and ${this.#wrongLines - problems.length} more lines`);
    if (problems.length === 0) {
      for (const split of ['train', 'test'] as const) {
        if (this.#triples[split].length > 0) continue;
        problems.push(
          `${files[split]?.name ?? split}: no ${split === 'train' ? 'training' : 'test'} triple in it`,
        );
      }
      if (this.#relations.size > MOST_RELATIONS)
        problems.push(`${this.#relations.size} relations; at most ${MOST_RELATIONS} are possible`);
    }
    if (problems.length > 0)
      throw new UsageError(`the triples can't be used; nothing was trained:\n  ${problems.join('\n  ')}`);
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

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}
