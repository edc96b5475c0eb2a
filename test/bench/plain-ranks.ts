import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `model.json` of an export says. */
interface ExportedModel {
  readonly scorer: string;
  readonly norm?: number;
  readonly squared?: boolean;
}

/**
 * Filtered link prediction from exported files and the triples' own files, in float64, one candidate after the other. It
 * shares no code with the program.
 */
export function plainFigures(folder: string, files: { train: string; valid: string; test: string }) {
  const entities = matrix(folder, 'entities');
  const relations = matrix(folder, 'relations');
  const reciprocals = matrix(folder, 'reciprocals', 'relations');
  const model: ExportedModel = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const parts = Object.values(files).map(triplesIn);
  const known = new Set(parts.flat().map((triple) => triple.join('\t')));
  const ranks: number[] = [];
  const names = [...entities.keys()];
  for (const [head, relation, tail] of triplesIn(files.test)) {
    const rank = (from: string, by: Map<string, number[]>, answer: string, of: (name: string) => string) => {
      const moved = entities.get(from)!.map((value, k) => value + by.get(relation)![k]!);
      const byName = scores(entities, moved, model);
      const others = names.filter((name) => name !== answer && !known.has(of(name)));
      ranks.push(rankAmong(byName, answer, others));
    };
    rank(head, relations, tail, (name) => `${head}\t${relation}\t${name}`);
    rank(tail, reciprocals, head, (name) => `${name}\t${relation}\t${tail}`);
  }
  const mean = (of: (each: number) => number) =>
    ranks.reduce((sum, each) => sum + of(each), 0) / ranks.length;
  return {
    mrr: mean((each) => 1 / each),
    hits1: mean((each) => (each <= 1 ? 1 : 0)),
    hits3: mean((each) => (each <= 3 ? 1 : 0)),
    hits10: mean((each) => (each <= 10 ? 1 : 0)),
  };
}

function triplesIn(file: string): [string, string, string][] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [head = '', relation = '', tail = ''] = line.trim().split('\t');
    return [head, relation, tail];
  });
}

/** The rows of an exported matrix, by name. */
function matrix(folder: string, name: string, names = name): Map<string, number[]> {
  const bytes = readFileSync(join(folder, `${name}.npy`));
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const shape = /\((\d+), (\d+)\)/.exec(bytes.subarray(10, headerEnd).toString('latin1'));
  const [rows, columns] = [Number(shape?.[1]), Number(shape?.[2])];
  const of = readFileSync(join(folder, `${names}.txt`), 'utf8')
    .trimEnd()
    .split('\n');
  if (of.length !== rows) throw new Error(`${of.length} names for ${rows} rows of ${name}`);
  const value = (i: number) => bytes.readFloatLE(headerEnd + 4 * i);
  return new Map(
    of.map((each, row) => [each, Array.from({ length: columns }, (_, k) => value(row * columns + k))]),
  );
}

/** The score of each entity; the root of the L2 distance is left out, for it changes no order. */
function scores(
  entities: ReadonlyMap<string, readonly number[]>,
  anchor: readonly number[],
  { scorer, norm }: ExportedModel,
): Map<string, number> {
  const score = (vector: readonly number[]) => {
    let sum = 0;
    for (const [k, value] of anchor.entries()) {
      if (scorer === 'dot') sum += value * vector[k]!;
      else if (norm === 1) sum -= Math.abs(value - vector[k]!);
      else sum -= (value - vector[k]!) ** 2;
    }
    return sum;
  };
  return new Map([...entities].map(([name, vector]) => [name, score(vector)]));
}

function rankAmong(by: ReadonlyMap<string, number>, answer: string, others: readonly string[]): number {
  const wanted = by.get(answer)!;
  let place = 1;
  for (const name of others) {
    const score = by.get(name)!;
    if (score > wanted) place++;
    else if (score === wanted) place += 0.5;
  }
  return place;
}
