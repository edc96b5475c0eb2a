import { describe, expect, it } from 'vitest';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import type { TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { TrainerCore } from '../../../src/pipeline/training/trainer-core.ts';
import {
  batchOf,
  DUE,
  edgesOf,
  FIRST_ENTITY,
  kernels,
  rowsOf,
  settings,
  spied,
  triples,
  World,
} from './trainer-fixture.ts';

const { dim } = settings.model;
const USER = 0;
const TWEET = 1;

function started(overrides: Partial<TrainerSettings> = {}) {
  const spy = spied();
  const core = new TrainerCore({ ...settings, ...overrides }, spy.maker);
  core.start(undefined);
  return { core, table: spy.table(), kernel: spy.kernel() };
}

/** Users 6 … 9 and tweets 10 … 12. */
const FIRST_EDGES = '6 likes 10, 7 likes 11, 6 follows 7, 8 replies 12, 9 likes 10';
const firstBatch = batchOf({
  newTypes: [USER, USER, USER, USER, TWEET, TWEET, TWEET],
  edges: edgesOf(FIRST_EDGES),
});

describe('TrainerCore', () => {
  it('moves every row an edge names, relations included, and new entities are due', () => {
    const { core, table } = started();
    const before = rowsOf(table);
    const report = core.train(firstBatch);
    const after = rowsOf(table);
    expect(after).toHaveLength(13);
    for (let row = 0; row < FIRST_ENTITY; row++) expect(after[row]).not.toEqual(before[row]);
    for (const row of after) expect(row[dim]).toBeGreaterThan(0);
    const due = core.due(DUE);
    expect([...due.rows]).toEqual([6, 7, 8, 9, 10, 11, 12]);
    expect([...due.vectors]).toEqual(after.slice(FIRST_ENTITY).flatMap((row) => row.slice(0, dim)));
    // Two pairs of types, so two chunks.
    expect(report).toMatchObject({ step: 2, edges: 5, started: 7 });
    expect(due.step).toBe(2);
    expect([...report.edgesByRelation]).toEqual([1, 3, 1]);
    for (const loss of report.loss) expect(loss).toBeGreaterThan(0);
  });

  it('says where it stands, in memory of its own', () => {
    const { core, table } = started();
    core.train(firstBatch);
    const { step, random, relations, absent } = core.state();
    expect([step, random.length, absent.length]).toEqual([2, 4, 0]);
    const expected = rowsOf(table).slice(0, FIRST_ENTITY);
    expect([...relations]).toEqual(expected.flatMap((row) => row.slice(0, dim + 1)));
    const due = core.due(DUE);
    expect(due).toMatchObject({ step, random, relations });
    const [sent, of] = [due.vectors.slice(), relations.slice()];
    core.train(batchOf({ edges: edgesOf(FIRST_EDGES), added: [] }));
    expect([due.vectors, due.relations, relations]).toEqual([sent, of, of]);
    expect(core.state().random).not.toEqual(random);
  });

  it('gives the vectors of rows as they are asked for, and refuses rows that are not in use', () => {
    const { core, table } = started();
    core.train(firstBatch);
    const vectors = core.vectors(Int32Array.of(12, 0, 12));
    expect([...vectors]).toEqual([...table.vector(12), ...table.vector(0), ...table.vector(12)]);
    const sent = vectors.slice();
    core.train(batchOf({ edges: edgesOf(FIRST_EDGES), added: [] }));
    expect(vectors).toEqual(sent);
    expect(() => core.vectors(Int32Array.of(12, 13))).toThrow('row 13 was asked for; 13 are in use');
  });

  it('publishes again what moved since it was last asked, under a step above its own and the one given', () => {
    const { core } = started();
    core.train(firstBatch);
    core.due(DUE);
    const again = batchOf({ edges: edgesOf('6 follows 7'), added: [] });
    for (const [step, expected] of [
      [50, 51],
      [0, 53],
    ] as const) {
      core.train(again);
      core.republish({ step, rows: new Int32Array(0) });
      const { rows, moved, ...state } = core.due({ ...DUE, epsilon: 1e9 });
      expect([...rows]).toEqual([6, 7, 8, 9]);
      expect(moved.every(Number.isNaN)).toBe(true);
      expect([state.step, core.state().step]).toEqual([expected, expected]);
    }
  });

  it('tells how many rows a snapshot has set aside, and none once it is taken', () => {
    const { core } = started();
    const again = batchOf({ edges: edgesOf('6 follows 7'), added: [] });
    core.train(firstBatch);
    core.due(DUE);
    core.snapshot(7);
    // Users alone, and the rows of follows.
    expect(core.train(again).setAside).toBe(6);
    core.slice();
    // Rows 6 and below are taken.
    expect(core.train(again).setAside).toBe(3);
    while (core.slice() !== undefined);
    core.due(DUE);
    expect(core.train(again).setAside).toBe(0);
  });

  it('publishes the ends of a new edge as soon as they moved far, and not the ends of rehearsed edges', () => {
    const { core, table } = started({ updatesPerEdge: 4 });
    core.train(firstBatch);
    core.due(DUE);
    core.train(batchOf({ edges: edgesOf('6 follows 7'), added: [] }));
    expect(rowsOf(table)[9]![dim + 1]).toBeGreaterThan(0.04);
    expect([...core.due({ ...DUE, epsilon: 0.04 }).rows]).toEqual([6, 7]);
  });

  it("adds up the kernel's losses by relation", () => {
    const spy = spied();
    let steps = 0;
    const core = new TrainerCore(settings, {
      ...kernels,
      createKernel: (...given) => {
        const real = spy.maker.createKernel(...given);
        return {
          ...real,
          name: 'reference',
          chunk: real.chunk,
          losses: Float32Array.of(1, 2, 4, 8),
          step: () => ++steps,
          scoreMatrix: () => {},
        };
      },
    });
    core.start(undefined);
    // Chunks: user-tweet with likes, likes, replies, likes, then follows alone.
    expect([...core.train(firstBatch).loss]).toEqual([1, 1 + 2 + 8, 4]);
    expect(steps).toBe(2);
  });

  it('tests before it trains: the first batch knows no one, the second some', () => {
    const { core } = started();
    const first = core.train(firstBatch);
    expect(first.known.map((sums) => sums.count)).toEqual([0, 0, 0]);
    expect(first.fresh.map((sums) => sums.count)).toEqual([1, 3, 1]);
    // All stand at the origin: chance and ties. Tweets 10 … 12: rank 2 of 3.
    expect(first.fresh[2]?.reciprocal).toBe(1 / 2);
    const second = core.train(
      batchOf({
        newTypes: [TWEET],
        edges: edgesOf('6 likes 12, 7 likes 13, 6 likes 10'),
        added: edgesOf('6 likes 12, 7 likes 13'),
      }),
    );
    // The third is live already and no test.
    expect(second.known.map((sums) => sums.count)).toEqual([0, 1, 0]);
    expect(second.fresh.map((sums) => sums.count)).toEqual([0, 1, 0]);
  });

  it('trains the same with and without evaluation', () => {
    const trained = [0, 6].map((evaluatedEdges) => {
      const world = new World(3);
      const { core, table } = started({ evaluatedEdges });
      for (let i = 0; i < 3; i++) core.train(world.next());
      return { rows: rowsOf(table), due: core.due(DUE) };
    });
    expect(trained[1]).toEqual(trained[0]);
  });

  it('drops a row for good: zeros, not published, not sampled, not tested against', () => {
    const { core, table, kernel } = started();
    core.train(firstBatch);
    core.due(DUE);
    const report = core.train(
      batchOf({
        dropped: [10],
        removed: edgesOf('6 likes 10, 9 likes 10'),
      }),
    );
    expect(report.step).toBe(3);
    expect(rowsOf(table)[10]).toEqual(new Array(dim + 2).fill(0));
    expect([...core.due({ ...DUE, everything: true }).rows]).not.toContain(10);
    const asked = new Set<number>();
    for (let i = 0; i < 20; i++) {
      core.train(batchOf({ edges: edgesOf('7 likes 12'), added: [] }));
      for (const row of kernel.chunk.sides.rhs.candidates.subarray(0, kernel.chunk.sides.rhs.count))
        asked.add(row);
    }
    expect([...asked].sort()).toEqual([11, 12]);
    // Tested against 11 alone, with the positive: chance is (1 + 1/2) / 2.
    const last = core.train(batchOf({ edges: edgesOf('6 likes 12') }));
    expect(last.known[1]?.randomReciprocal).toBeCloseTo(0.75, 12);
  });

  it('starts a reset row again like a new one', () => {
    const { core, table } = started({ model: { ...settings.model, learningRate: 1e-9 } });
    core.train(firstBatch);
    core.due(DUE);
    const before = [...table.vector(7)];
    const other = [...table.vector(8)];
    const report = core.train(
      batchOf({
        reset: [7],
        edges: edgesOf('7 likes 12'),
        removed: edgesOf('7 likes 11, 6 follows 7'),
      }),
    );
    // One chunk and one reset.
    expect(report.step).toBe(4);
    expect(report.fresh[1]?.count).toBe(1);
    expect([...table.vector(7)]).not.toEqual(before);
    for (const [k, value] of table.vector(8).entries()) expect(value).toBeCloseTo(other[k]!, 6);
    expect(Math.max(...table.vector(7).map(Math.abs))).toBeGreaterThan(0.01);
    expect([...core.due(DUE).rows]).toEqual([7]);
  });

  it('masks what was added in this batch, and no longer what was removed', () => {
    const { core, kernel } = started({ uniformNegatives: 40 });
    const maskedFor = (row: number) => {
      const { candidates, mask, count } = kernel.chunk.sides.rhs;
      const positions = [...candidates.subarray(0, count).keys()].filter((k) => candidates[k] === row);
      expect(positions.length).toBeGreaterThan(0);
      return positions.every((k) => mask[k] === 1);
    };
    core.train(firstBatch);
    core.train(
      batchOf({
        edges: edgesOf('6 likes 11'),
        added: edgesOf('6 likes 11, 6 likes 12'),
        removed: edgesOf('6 likes 10'),
      }),
    );
    expect([10, 11, 12].map(maskedFor)).toEqual([false, true, true]);
  });

  it.each([1, 2])(
    'trains live edges among the new, %i of four updates being those of the new, and never one that is gone',
    (ownUpdates) => {
      const { core, kernel } = started({ updatesPerEdge: 4, ownUpdates, chunkEdges: 8 });
      core.train(firstBatch);
      const chunks: [number, number, number][][] = [];
      const step = kernel.step.bind(kernel);
      kernel.step = () => {
        const { edges, lhs, relation, rhs } = kernel.chunk;
        chunks.push(Array.from({ length: edges }, (_, i) => [lhs[i]!, relation[i]!, rhs[i]!]));
        return step();
      };
      const report = core.train(
        batchOf({
          edges: edgesOf('6 likes 11, 6 likes 12'),
          added: edgesOf('6 likes 11, 6 likes 12'),
          removed: edgesOf('6 likes 10'),
        }),
      );
      const trained = chunks.flat().map((edge) => edge.join());
      expect(trained).toHaveLength(8);
      expect(trained).not.toContain('6,1,10');
      for (const own of ['6,1,11', '6,1,12'])
        expect(trained.filter((edge) => edge === own).length).toBeGreaterThanOrEqual(ownUpdates);
      // The report is of the new edges alone: what was rehearsed is no measure of what comes.
      expect([report.edges, [...report.edgesByRelation]]).toEqual([2, [0, 2, 0]]);
      const live = edgesOf(`${FIRST_EDGES}, 6 likes 11, 6 likes 12`).map(String);
      for (const edge of trained) expect(live).toContain(edge);
    },
  );

  it('a batch at the limit of live edges may add as many as it removes', () => {
    const { core } = started({ maxKnownEdges: 5 });
    core.train(firstBatch);
    const batch = new OpenBatch();
    batch.changed(6, 1, 11, false, true);
    batch.changed(6, 1, 10, true, false);
    core.train({ numbers: batch.close() });
    expect(() => core.train(batchOf({ added: edgesOf('6 likes 12') }))).toThrow('limits.maxKnownEdges');
  });

  it.each(['reference', 'wasm-plain'] as const)(
    'the rate of %s falls with the steps, to a hundredth',
    (kernel) => {
      // A row of its own for every edge: its first step has the length of the rate times √dim, without the unit ball.
      const model = { ...settings.model, unitBall: false };
      const chosen = { ...settings, kernel, model, uniformNegatives: 0, chunkEdges: 2, decaySteps: 4 };
      const spy = spied();
      const core = new TrainerCore(chosen, spy.maker);
      core.start(undefined);
      const follows = Array.from({ length: 12 }, (_, i) => [6 + 2 * i, 0, 7 + 2 * i] as const);
      core.train(batchOf({ newTypes: new Array(24).fill(0) }));
      const before = rowsOf(spy.table());
      core.train(batchOf({ edges: follows.slice(0, 6) }));
      core.train(batchOf({ edges: follows.slice(6) }));
      const after = rowsOf(spy.table());
      const moved = (row: number) =>
        Math.hypot(...Array.from({ length: dim }, (_, k) => after[row]![k]! - before[row]![k]!));
      for (const [step, share] of [1, 0.75, 0.5, 0.25, 0.01, 0.01].entries()) {
        for (let row = 6 + 4 * step; row < 10 + 4 * step; row++) {
          expect(moved(row), `row ${row}`).toBeCloseTo(share * model.learningRate * Math.sqrt(dim), 5);
        }
      }
    },
  );

  it('refuses calls out of order, and going on after a batch that failed half-way', () => {
    const fresh = new TrainerCore(settings, kernels);
    expect(() => fresh.train(firstBatch)).toThrow('has not started');
    expect(() => fresh.start({ step: 1, random: Uint32Array.of(1, 2, 3, 4) })).toThrow('0 rows loaded');
    fresh.start(undefined);
    expect(() => fresh.loadEdges(triples([]))).toThrow('load before start');
    fresh.train(firstBatch);
    expect(() => fresh.train(batchOf({ newTypes: new Array(600).fill(0) }))).toThrow('used up');
    for (const call of [
      () => fresh.due(DUE),
      () => fresh.state(),
      () => fresh.snapshot(),
      () => fresh.slice(),
    ])
      expect(call).toThrow('failed half-way');
    expect(() => fresh.train(firstBatch)).toThrow('failed half-way');
  });
});
