import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CheckpointBlock, CheckpointRows } from '../../../src/graph/checkpoint.ts';
import { Snapshot } from '../../../src/pipeline/training/snapshot.ts';
import type { TrainerSettings, TrainReport } from '../../../src/pipeline/training/trainer.ts';
import { TrainerCore } from '../../../src/pipeline/training/trainer-core.ts';
import { KnownPositives } from '../../../src/sampling/known-positives.ts';
import { DUE, type Edge, rowsOf, settings, spied, triples, World } from './trainer-fixture.ts';

const RUNS = 60;

function trainer(chosen: Partial<TrainerSettings>) {
  const spy = spied();
  const core = new TrainerCore({ ...settings, updatesPerEdge: 2, ...chosen }, spy.maker);
  return { core, table: spy.table() };
}

/** Edges by name, sorted. */
const namesOf = (edges: Iterable<Edge>) => Array.from(edges, String).sort();

function edgesIn({ edges }: CheckpointBlock): Edge[] {
  return Array.from(edges?.lhs ?? [], (lhs, i) => [lhs, edges!.relation[i]!, edges!.rhs[i]!]);
}

/** What a report says of the training; not how many rows a snapshot has set aside. */
const learned = ({ setAside: _, ...report }: TrainReport) => report;

const { model } = settings;
const plan = fc.record({
  seed: fc.nat(1_000_000),
  kernel: fc.constantFrom('reference', 'wasm'),
  chosen: fc.constantFrom<Partial<TrainerSettings>[]>(
    {},
    { model: { ...model, scorer: 'twhin', loss: 'logistic' } },
    { decaySteps: 100 },
    { ownUpdates: 1 },
    { correctNegatives: true, anchorNegatives: true },
  ),
  /** Whether the edges are loaded with the rows, or in an order of their own. */
  withEdges: fc.boolean(),
  blockRows: fc.integer({ min: 1, max: 80 }),
  /** Batches before the snapshot begins. */
  before: fc.integer({ min: 0, max: 6 }),
  /** Slices that were taken of a snapshot that is given up. */
  givenUp: fc.option(fc.nat(3)),
  /** What happens after it began. */
  after: fc.array(fc.constantFrom('train', 'train', 'slice', 'due', 'everything'), {
    maxLength: 25,
    size: 'max',
  }),
});

test('a snapshot is of the moment it began, and training goes on from it to the same bytes, whatever happens as it is taken', () => {
  fc.assert(
    fc.property(plan, ({ seed, kernel, chosen, withEdges, blockRows, before, givenUp, after }) => {
      const world = new World(seed);
      const { core, table } = trainer({ kernel, ...chosen });
      core.start(undefined);
      /** Calls since the snapshot began, with their answers. */
      const calls: { readonly call: (of: TrainerCore) => unknown; readonly answer: unknown }[] = [];
      const called = (call: (of: TrainerCore) => unknown) => calls.push({ call, answer: call(core) });
      const train = () => {
        const batch = world.next();
        called((of) => learned(of.train(batch)));
      };
      let { now } = DUE;
      const commit = (everything = false) => {
        now += 1_000;
        const options = { ...DUE, now, everything };
        called((of) => of.due(options));
        world.commit();
      };
      for (let i = 0; i < before; i++) {
        train();
        commit();
      }
      if (givenUp !== null) {
        core.snapshot(10);
        for (let i = 0; i < givenUp; i++) core.slice();
        train();
      }
      commit();
      calls.length = 0;

      const began = {
        rows: rowsOf(table),
        types: [...world.types],
        trained: [...world.trained],
        live: namesOf(world.live.values()),
        state: core.state(),
      };
      core.snapshot(blockRows);
      const blocks: CheckpointBlock[] = [];
      let spent: Float32Array | undefined;
      const take = () => {
        const block = core.slice(spent);
        if (block !== undefined) blocks.push(structuredClone(block));
        spent = block?.floats;
        return block;
      };
      for (const what of after) {
        if (what === 'train') train();
        else if (what === 'slice') take();
        else commit(what === 'everything');
      }
      while (take() !== undefined);

      expect(blocks.flatMap(({ types }) => [...types])).toEqual(began.types);
      expect(blocks.flatMap(({ trained }) => [...trained])).toEqual(began.trained);
      expect(blocks.slice(0, -1).every(({ types }) => types.length === blockRows)).toBe(true);
      let first = 0;
      for (const block of blocks) {
        const rows = block.types.length;
        expect([...block.floats]).toEqual(began.rows.slice(first, first + rows).flat());
        for (const [lhs] of edgesIn(block))
          expect([lhs, first <= lhs && lhs < first + rows]).toEqual([lhs, true]);
        first += rows;
      }
      expect(namesOf(blocks.flatMap(edgesIn))).toEqual(began.live);

      const again = trainer({ kernel, ...chosen });
      for (const { edges, ...block } of blocks)
        again.core.load({ ...block, ...(withEdges && edges && { edges }) });
      const live = blocks.flatMap(edgesIn).reverse();
      for (const part of withEdges ? [] : [live.slice(0, 7), live.slice(7)])
        again.core.loadEdges(triples(part));
      again.core.start(began.state);
      expect(rowsOf(again.table)).toEqual(began.rows);
      for (const { call, answer } of calls) expect(call(again.core)).toEqual(answer);
      expect(rowsOf(again.table)).toEqual(rowsOf(table));
      expect(again.core.state()).toEqual(core.state());
    }),
    { numRuns: RUNS },
  );
});

test('a row is set aside once, and none that is taken or came later', () => {
  const known = new KnownPositives({ maxRows: 20, maxEdges: 100 });
  const half = 9_000;
  const numbers = Float32Array.from({ length: 2 * half + 10 }, (_, row) => row);
  const copy = (row: number, to: CheckpointRows, place: number) => {
    to.floats[place] = numbers[row]!;
    to.types[place] = row % 200;
    to.trained[place] = row % 2;
  };
  const snapshot = new Snapshot({ rows: 2 * half, width: 1, blockRows: half, known, copy });
  const move = (row: number) => {
    snapshot.keep(row);
    numbers[row]! += 100;
  };
  const take = (first: number) => {
    const rows = Array.from({ length: half }, (_, i) => first + i);
    const { floats, types, trained } = snapshot.take()!;
    expect([...floats]).toEqual(rows);
    expect([...types]).toEqual(rows.map((row) => row % 200));
    expect([...trained]).toEqual(rows.map((row) => row % 2));
  };
  for (const row of [2, 2, half + 2, 2 * half + 2]) move(row);
  expect(snapshot.setAside).toBe(2);
  for (let row = 0; row < 2 * half; row += 2) move(row);
  expect(snapshot.setAside).toBe(half);
  take(0);
  expect(snapshot.setAside).toBe(half / 2);
  // The memory of what is taken is used again.
  for (let row = 1; row < 2 * half; row += 2) move(row);
  expect(snapshot.setAside).toBe(half);
  take(half);
  expect([snapshot.take(), snapshot.setAside]).toEqual([undefined, 0]);
});
