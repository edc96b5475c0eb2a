import { describe, expect, it } from 'vitest';
import { readGraph, readSnapshots, type TripleFile } from '../../../src/evaluation/graph/triples.ts';

/** A file of these lines; null: a line that was too long. */
function file(name: string, lines: readonly (string | null)[]): TripleFile {
  async function* all() {
    for (const [i, text] of lines.entries()) {
      yield { line: i + 1, bytes: text === null ? null : Buffer.from(text) };
    }
  }
  return { name, lines: all() };
}

describe('readGraph', () => {
  it('gives names their indices in the order of appearance, over all parts', async () => {
    const graph = await readGraph({
      train: file('train.txt', ['a\tlikes\tb', '', 'b\tlikes\tnew york', '  ']),
      valid: file('valid.txt', ['b\tknows\ta']),
      test: file('test.txt', ['c knows a']),
    });
    expect(graph.entities).toEqual(['a', 'b', 'new york', 'c']);
    expect(graph.relations).toEqual(['likes', 'knows']);
    expect(graph.train).toEqual({
      lhs: ints(0, 1),
      relation: ints(0, 0),
      rhs: ints(1, 2),
      snapshot: ints(0, 0),
    });
    expect(graph.valid).toEqual({ lhs: ints(1), relation: ints(1), rhs: ints(0), snapshot: ints(0) });
    expect(graph.test).toEqual({ lhs: ints(3), relation: ints(1), rhs: ints(0), snapshot: ints(0) });
    expect(graph.snapshots).toEqual([2]);
  });

  it('names file and line of what is wrong, at most five of them, and says how many more', async () => {
    const bad = ['a\tb', 'a\tb\tc\td', 'a\t\tc', 'one', null, 'x', 'y', 'a\tb\tc'];
    const reading = readGraph({ train: file('my train.txt', bad), test: file('test.txt', ['a\tb\tc']) });
    await expect(reading).rejects.toThrow(
      [
        "the triples can't be used; nothing was trained:",
        '  my train.txt, line 1: expected head, relation, tail with tabs between them, seen "a\\tb"',
        '  my train.txt, line 2: expected head, relation, tail with tabs between them, seen "a\\tb\\tc\\td"',
        '  my train.txt, line 3: expected head, relation, tail with tabs between them, seen "a\\t\\tc"',
        '  my train.txt, line 4: expected head, relation, tail with tabs between them, seen "one"',
        '  my train.txt, line 5: the line is too long',
        '  and 2 more lines',
      ].join('\n'),
    );
  });

  it('refuses parts without triples, and more relations than a trainer has room for', async () => {
    const some = ['a\tb\tc'];
    const reading = (train: string[], test: string[]) =>
      readGraph({ train: file('train.txt', train), test: file('test.txt', test) });
    await expect(reading([''], some)).rejects.toMatchObject({ name: 'UsageError' });
    await expect(reading([''], some)).rejects.toThrow('train.txt: no training triple in it');
    await expect(reading(some, [])).rejects.toThrow('test.txt: no test triple in it');
    const many = Array.from({ length: 257 }, (_, i) => `a\tr${i}\tb`);
    await expect(reading(many, some)).rejects.toThrow('258 relations; at most 256 are possible');
  });
});

describe('readSnapshots', () => {
  it("takes training triples in the order of their snapshots, and in the file's within one", async () => {
    const graph = await readSnapshots(
      file('stream.tsv', [
        '1\ttrain\t5\t0\t6',
        '0\ttrain\t1\t0\t2',
        '0\ttest\t1\t0\t6',
        '10\ttrain\t8\t0\t9',
        '1\ttrain\t6\t0\t7',
        '0\tvalid\t2\t0\t1',
      ]),
    );
    expect(Array.from(graph.train.lhs, (i) => graph.entities[i])).toEqual(['1', '5', '6', '8']);
    expect(graph.snapshots).toEqual([1, 3, 4]);
    expect(graph.test.lhs.length).toBe(1);
    expect(graph.valid.lhs.length).toBe(1);
  });

  it('names what is no snapshot and no part', async () => {
    const reading = readSnapshots(file('stream.tsv', ['x\ttrain\t5\t0\t6', '1\tdev\t5\t0\t6']));
    await expect(reading).rejects.toThrow(
      'stream.tsv, line 1: expected a snapshot number and one of train, valid, test, seen "x train"',
    );
  });
});

function ints(...values: number[]): Int32Array {
  return Int32Array.from(values);
}
