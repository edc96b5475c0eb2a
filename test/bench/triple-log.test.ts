import { expect, test } from 'vitest';
import { keyOf, TripleLog } from '../../bench/kg/triple-log.ts';
import type { SourceRecord } from '../../src/pipeline/ports.ts';

/** Triples i → i + 1 of one relation, of which the first are a snapshot. */
const [FIRST, ALL] = [1_000, 3_000];
const IN_ORDER = Array.from({ length: ALL }, (_, i) => i);

test('every triple is told once in each pass, later than before and in another order, and snapshots stay in theirs', async () => {
  const lhs = Int32Array.from(IN_ORDER);
  const train = { lhs, relation: new Int32Array(ALL), rhs: lhs.map((i) => i + 1) };
  const keys = Array.from({ length: ALL + 1 }, (_, i) => keyOf(i));
  const told = { train, snapshots: [FIRST, ALL], keys, names: ['r0'] };
  const log = new TripleLog(told, { topic: 't', passes: 2, seed: 1 });
  const { cursors } = await log.read([log.range]);
  const records: SourceRecord[] = [];
  for (let next = await cursors[0]!.next(); next !== undefined; next = await cursors[0]!.next())
    records.push(...next);
  expect(records.map(({ offset }) => offset)).toEqual([...IN_ORDER, ...IN_ORDER.map((i) => ALL + i)]);
  const triples = records.map(({ content }) => {
    const [change] = content!.changes;
    if (change === undefined || 'erased' in change) throw new Error('no edge');
    const index = Number(change.lhs.slice('entity:'.length));
    expect(change).toMatchObject({ relation: 'r0', rhs: keyOf(index + 1), removed: false });
    return index;
  });
  const [one, two] = [triples.slice(0, ALL), triples.slice(ALL)];
  for (const pass of [one, two]) {
    expect(pass.toSorted((a, b) => a - b)).toEqual(IN_ORDER);
    expect(Math.max(...pass.slice(0, FIRST))).toBe(FIRST - 1);
    expect(pass.slice(0, FIRST)).not.toEqual(IN_ORDER.slice(0, FIRST));
  }
  expect(one).not.toEqual(two);
  const times = records.map(({ timestamp }) => timestamp);
  expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
});
