import { describe, expect, it } from 'vitest';
import { keyOf, TripleLog } from '../../bench/kg/triple-log.ts';
import type { KnowledgeGraph } from '../../bench/kg/triples.ts';
import type { SourceRecord } from '../../src/pipeline/ports.ts';

const none = {
  lhs: new Int32Array(),
  relation: new Int32Array(),
  rhs: new Int32Array(),
  snapshot: new Int32Array(),
};

/** Triples i → i + 1 of one relation. */
function chain(triples: number, snapshots: readonly number[]): KnowledgeGraph {
  const lhs = Int32Array.from({ length: triples }, (_, i) => i);
  return {
    entities: Array.from({ length: triples + 1 }, (_, i) => `e${i}`),
    relations: ['next'],
    train: {
      lhs,
      relation: new Int32Array(triples),
      rhs: lhs.map((i) => i + 1),
      snapshot: new Int32Array(triples),
    },
    valid: none,
    test: none,
    snapshots,
  };
}

function logOf(graph: KnowledgeGraph, options: { topic: string; passes: number; seed: number }): TripleLog {
  const keys = graph.entities.map((_, entity) => keyOf(entity));
  return new TripleLog({ ...graph, keys, names: ['r0'] }, options);
}

async function all(log: TripleLog, from = 0, until = log.range.until): Promise<SourceRecord[]> {
  const { cursors } = await log.read([{ topic: log.range.topic, partition: 0, from, until }]);
  const [cursor] = cursors;
  const records: SourceRecord[] = [];
  for (let next = await cursor!.next(); next !== undefined; next = await cursor!.next())
    records.push(...next);
  return records;
}

/** The index of each record's triple. */
function triplesOf(records: readonly SourceRecord[]): number[] {
  return records.map(({ content }) => {
    const [change] = content!.changes;
    if (change === undefined || 'erased' in change) throw new Error('no edge');
    const index = Number(change.lhs.slice('entity:'.length));
    expect(change).toMatchObject({ relation: 'r0', rhs: keyOf(index + 1), removed: false });
    return index;
  });
}

describe('TripleLog', () => {
  it('tells every triple once in each pass, in another order each time, and later than in the pass before', async () => {
    const log = logOf(chain(3_000, [3_000]), { topic: 't', passes: 2, seed: 1 });
    const records = await all(log);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 6_000 }, (_, i) => i));
    const told = triplesOf(records);
    const [first, second] = [told.slice(0, 3_000), told.slice(3_000)];
    const inOrder = Array.from({ length: 3_000 }, (_, i) => i);
    expect([...first].sort((a, b) => a - b)).toEqual(inOrder);
    expect([...second].sort((a, b) => a - b)).toEqual(inOrder);
    expect(first).not.toEqual(second);
    expect(first).not.toEqual(inOrder);
    const times = records.map(({ timestamp }) => timestamp);
    expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
  });

  it('keeps snapshots in their order', async () => {
    const log = logOf(chain(100, [40, 100]), { topic: 't', passes: 1, seed: 1 });
    const told = triplesOf(await all(log));
    expect(Math.max(...told.slice(0, 40))).toBe(39);
    expect(Math.min(...told.slice(40))).toBe(40);
  });
});
