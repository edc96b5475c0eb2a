import { describe, expect, it, test } from 'vitest';
import { copyAccumulator } from '../../src/graph/shard.ts';
import { Table } from '../../src/model/table.ts';
import type { TrainReport } from '../../src/pipeline/training/trainer.ts';
import { TrainerRows } from '../../src/pipeline/training/trainer-rows.ts';
import { TypeRows } from '../../src/sampling/type-rows.ts';
import { ForeignRows } from '../../src/shards/foreign-rows.ts';
import { fill } from '../kernels/fixture.ts';
import { DUE, edgesOf, settings } from '../pipeline/training/trainer-fixture.ts';
import {
  BARE,
  comparable,
  DIM,
  listed,
  loadedFrom,
  pairs,
  shardBatch,
  snapshotOf,
  takenFrom,
  type Watched,
  watched,
} from './shard-fixture.ts';

const [USER, TWEET] = [0, 1];
const [FOLLOWS, LIKES] = [0, 1];
const HERE = { shard: { index: 0, count: 3 } };
/** So small that nothing moves by .2. */
const SLOW = { model: { ...settings.model, learningRate: 1e-6 } };

/** A vector for each row: the first, the second and so on. */
const at = (...rows: number[]) => rows.map((row, i) => [row, vectorOf(i + 1)] as const);
const vectorOf = (number: number) => Array.from({ length: DIM }, (_, k) => (number + k) / 32);

/** Own users 6 and 7, user 8 of shard 1, own tweet 9, tweet 10 of shard 2. */
const COPIES = pairs('8 1, 10 2');
const ENTITIES = { newTypes: [USER, USER, USER, TWEET, TWEET], copies: COPIES };

function shard(overrides: Parameters<typeof watched>[0] = {}, parts: Parameters<typeof shardBatch>[0] = {}) {
  const made = watched({ ...HERE, ...BARE, ...overrides });
  const report = made.core.train(shardBatch({ ...ENTITIES, ...parts }));
  return { ...made, report };
}

const accumulatorOf = ({ table }: Watched, row: number) => table.floats[table.at(row) + table.accumulator]!;

/** Rows whose vectors go to a shard, and those whose gradients do. */
function sentTo({ outgoing }: TrainReport, to: number) {
  const { vectors, gradients } = outgoing!.to[to]!;
  return { vectors: [...vectors.rows], gradients: [...gradients.rows] };
}

/** Number of edges that were ranked before they were learned. */
const evaluated = ({ known, fresh }: TrainReport) =>
  [...known, ...fresh].reduce((sum, { count }) => sum + count, 0);

describe('a copy', () => {
  it('moves by training until its owner sends it, and is never published', () => {
    const made = shard({ uniformNegatives: 5, evaluatedEdges: 6, updatesPerEdge: 3 });
    const { core, table } = made;
    core.train(shardBatch({ vectors: at(8, 10) }));
    expect([...core.due(DUE).rows]).toEqual([6, 7, 9]);
    const before = [...table.vector(6)];
    for (let i = 0; i < 5; i++) {
      core.train(
        shardBatch({ edges: edgesOf('6 follows 8, 8 follows 7, 6 likes 10, 7 likes 9, 8 likes 9') }),
      );
    }
    expect([...table.vector(8)]).not.toEqual(vectorOf(1));
    expect([...table.vector(10)]).not.toEqual(vectorOf(2));
    expect([8, 10].map((row) => accumulatorOf(made, row))).toEqual([1, 2].map(copyAccumulator));
    expect([...table.vector(6)]).not.toEqual(before);
    expect([...core.due({ ...DUE, now: DUE.now + 5_000, everything: true }).rows]).toEqual([6, 7, 9]);
    core.train(shardBatch({ vectors: [[8, vectorOf(3)]] }));
    expect([...table.vector(8)]).toEqual(vectorOf(3));
  });

  it('sends the gradient to the owner, where it moves the row, and moves the copy here, as a step of a whole graph would', () => {
    const settled = { model: { ...settings.model, learningRate: 0.1 } };
    // Tweets 9 and 10 of a trainer that owns both, and a copy of the whole for the step that is to be repeated.
    const trainer = watched({ ...HERE, ...BARE, ...settled });
    const whole = watched({ ...BARE, ...settled });
    for (const { core: each } of [trainer, whole])
      each.train(
        shardBatch({
          newTypes: [USER, USER, TWEET, TWEET],
          copies: each === whole.core ? [] : pairs('8 1, 9 2'),
        }),
      );
    const vectors = pairs('8 1, 9 3').map(([row, number]) => [row, [...vectorOf(number), 0.5]] as const);
    trainer.core.train(shardBatch({ vectors }));
    for (let row = 0; row < 10; row++) {
      whole.table.vector(row).set(trainer.table.vector(row));
      whole.table.floats[whole.table.at(row) + whole.table.accumulator] = row < 8 ? 0 : 0.25;
      trainer.table.floats[trainer.table.at(row) + trainer.table.accumulator] =
        row < 8 ? 0 : copyAccumulator(row - 7);
    }
    const { outgoing } = trainer.core.train(shardBatch({ edges: edgesOf('6 likes 8, 7 likes 9') }));
    const { kernel } = whole;
    const { chunk } = kernel;
    // A shard takes 1.4 times the rate.
    chunk.learningRate = 1.4 * 0.1;
    const own = [[0, 0] as const, [1, 1] as const];
    fill(chunk, {
      edges: [[6, LIKES, 8] as const, [7, LIKES, 9] as const],
      ...{ lhsCandidates: [6, 7], lhsMasked: own, rhsCandidates: [8, 9], rhsMasked: own },
    });
    kernel.step();
    for (const row of [0, 1, 2, 3, 4, 5, 6, 7])
      expect([...trainer.table.vector(row)], `row ${row}`).toEqual([...whole.table.vector(row)]);
    // The kernel rounds the sums that the copies move by.
    for (const row of [8, 9])
      for (const [k, number] of whole.table.vector(row).entries())
        expect(Math.abs(trainer.table.vector(row)[k]! - number), `row ${row}`).toBeLessThan(1e-7);
    expect(outgoing!.to.map(({ gradients }) => [...gradients.rows])).toEqual([[], [8], [9]]);
    // Their owner, where tweet 8 is row 9.
    const [[, gradient]] = listed(outgoing!.to[1]!.gradients) as [[number, number[]]];
    const owner = shard(settled);
    owner.table.vector(9).set(vectorOf(1));
    owner.table.floats[owner.table.at(9) + owner.table.accumulator] = 0.25;
    owner.core.train(shardBatch({ gradients: [[9, gradient]] }));
    const moved = (vector: Float32Array) => vectorOf(1).map((number, k) => vector[k]! - number);
    const [got, expected] = [moved(owner.table.vector(9)), moved(whole.table.vector(8))];
    const length = Math.hypot(...expected);
    expect(length).toBeGreaterThan(0.01);
    expect(Math.hypot(...got.map((number, k) => number - expected[k]!))).toBeLessThan(length / 500);
    expect(accumulatorOf(owner, 9)).toBeCloseTo(accumulatorOf(whole, 8), 2);
  });

  it('is ranked, and ranked from, like an own row', () => {
    const { core, steps } = shard({ evaluatedEdges: 6 }, { vectors: at(8, 10) });
    const report = core.train(shardBatch({ edges: edgesOf('8 follows 6, 6 follows 8, 6 follows 7') }));
    expect(evaluated(report)).toBe(3);
    expect(steps).toEqual([{ edges: ['8 0 6', '6 0 8', '6 0 7'], lhs: [8, 6, 6], rhs: [6, 8, 7] }]);
    expect(report.edgesByRelation[FOLLOWS]).toBe(3);
    // What it did as either end, and as a negative, in one gradient.
    expect(sentTo(report, 1).gradients).toEqual([8]);
  });

  it('takes vectors from its owner alone, and an own row takes gradients alone', () => {
    const { core, table } = shard({}, { vectors: at(8) });
    core.due(DUE);
    const before = [...table.vector(6)];
    core.train(shardBatch({ vectors: [[6, vectorOf(9)]], gradients: [[8, vectorOf(9)]] }));
    expect([...table.vector(6)]).toEqual(before);
    expect([...table.vector(8)]).toEqual(vectorOf(1));
    core.train(shardBatch({ vectors: [[8, vectorOf(4)]], gradients: [[6, vectorOf(9)]] }));
    expect([...table.vector(8)]).toEqual(vectorOf(4));
    // Against the gradient, by a step of the rate times √dim at first, or less where the ball ends.
    expect(table.vector(6)[0]!).toBeLessThan(before[0]!);
    const epsilon = table.floats[table.at(6) + table.drift]! / 2;
    expect([...core.due({ ...DUE, epsilon }).rows]).toEqual([6]);
  });

  it('has no vector for a gradient that came to the wrong shard; an own row counts as trained by a gradient', () => {
    const { core } = shard({ evaluatedEdges: 6 });
    core.train(shardBatch({ gradients: at(10, 6, 7) }));
    const report = core.train(shardBatch({ edges: edgesOf('6 likes 10, 6 follows 7') }));
    expect(report.outgoing?.waiting).toBe(1);
    expect(report.known[FOLLOWS]?.count).toBe(1);
  });

  it('is no longer a copy once its row is dropped and another entity has it, and the other way round', () => {
    const made = shard({ uniformNegatives: 5 }, { vectors: at(8) });
    const { core, table, steps } = made;
    core.train(shardBatch({ dropped: [8, 7] }));
    core.due(DUE);
    expect([...table.vector(8)]).toEqual(new Array(DIM).fill(0));
    const reused = [7, 8].map((row) => [row, USER] as const);
    core.train(shardBatch({ reused, copies: [[7, 2]], edges: edgesOf('6 follows 8') }));
    expect(accumulatorOf(made, 8)).toBeGreaterThan(0);
    expect(accumulatorOf(made, 7)).toBe(copyAccumulator(2));
    expect([...table.vector(7)]).toEqual(new Array(DIM).fill(0));
    const { outgoing } = core.train(shardBatch({ edges: edgesOf('8 follows 6') }));
    expect(outgoing!.to.every(({ gradients }) => gradients.rows.length === 0)).toBe(true);
    expect(new Set(steps.at(-1)!.lhs)).toEqual(new Set([6, 8]));
    const { rows } = core.due(DUE);
    expect([7, 8].map((row) => rows.includes(row))).toEqual([false, true]);
  });
});

describe('an edge whose far end has no vector yet', () => {
  it('waits, and is trained with the batch in which the vector comes', () => {
    const { core, table } = shard();
    const before = [...table.vector(6)];
    const first = core.train(shardBatch({ edges: edgesOf('6 follows 8') }));
    expect([first.edges, first.outgoing?.waiting, first.step]).toEqual([0, 1, 0]);
    expect([...table.vector(6)]).toEqual(before);
    const second = core.train(shardBatch({ vectors: at(8) }));
    expect([second.edges, second.outgoing?.waiting, second.step]).toEqual([1, 0, 1]);
    expect(sentTo(second, 1).gradients).toEqual([8]);
    const third = core.train(
      shardBatch({ edges: edgesOf('6 follows 8'), added: [], vectors: [[8, vectorOf(2)]] }),
    );
    expect([third.edges, third.outgoing?.waiting]).toEqual([1, 0]);
  });

  it('is not trained where it was removed meanwhile, nor where an end is gone', () => {
    const { core } = shard();
    const waiting = core.train(shardBatch({ edges: edgesOf('6 follows 8, 7 follows 8, 6 likes 10') }));
    expect(waiting.outgoing?.waiting).toBe(3);
    core.train(shardBatch({ removed: edgesOf('6 follows 8') }));
    const gone = core.train(shardBatch({ dropped: [10], removed: edgesOf('6 likes 10') }));
    expect(gone.outgoing?.waiting).toBe(1);
    const { edges, outgoing } = core.train(shardBatch({ vectors: at(8) }));
    expect([edges, outgoing?.waiting]).toEqual([1, 0]);
  });

  it('is not rehearsed, and not evaluated', () => {
    const { core, steps } = shard({ updatesPerEdge: 8, evaluatedEdges: 6 });
    const first = core.train(shardBatch({ edges: edgesOf('6 follows 8, 6 likes 10, 8 likes 9') }));
    expect([first.edges, evaluated(first)]).toEqual([0, 0]);
    // 9 is the one tweet, which has no other to be ranked among.
    const second = core.train(shardBatch({ edges: edgesOf('6 follows 7, 6 likes 9, 8 follows 7') }));
    expect([second.edges, evaluated(second)]).toEqual([2, 1]);
    for (let i = 0; i < 20; i++) core.train(shardBatch({ edges: edgesOf('6 follows 7'), added: [] }));
    const trained = new Set(steps.flatMap((step) => step.edges));
    expect(trained).toEqual(new Set(['6 0 7', '6 1 9']));
    core.train(shardBatch({ vectors: at(8) }));
    for (let i = 0; i < 20; i++) core.train(shardBatch({ edges: edgesOf('6 follows 7'), added: [] }));
    const later = new Set(steps.flatMap((step) => step.edges));
    expect(later).toEqual(new Set(['6 0 7', '6 1 9', '6 0 8', '8 1 9', '8 0 7']));
  });

  it('waits with 65,536 others at most, and those to a row that is dropped are forgotten', () => {
    const { core } = shard();
    const many = new Array<[number, number, number]>(65_540).fill([6, FOLLOWS, 8]);
    const { outgoing } = core.train(shardBatch({ edges: many, added: edgesOf('6 follows 8') }));
    expect(outgoing?.waiting).toBe(65_536);
    const gone = core.train(shardBatch({ dropped: [8], removed: edgesOf('6 follows 8') }));
    expect([gone.edges, gone.outgoing?.waiting]).toEqual([0, 0]);
    expect(core.train(shardBatch({ edges: edgesOf('6 likes 10') })).outgoing?.waiting).toBe(1);
  });
});

describe('a holder of copies', () => {
  const FIRST = { edges: edgesOf('6 follows 7') };

  it.each([
    ['.2', {}, 0.2],
    ['the distance that is set', { resendDistance: 0.05 }, 0.05],
  ])('gets a vector with its first edge, and again after a move of %s, not before', (_, given, distance) => {
    const { core, table } = shard({ ...SLOW, ...given }, FIRST);
    const first = core.train(shardBatch({ inUse: [[6, 1]] }));
    expect(listed(first.outgoing!.to[1]!.vectors)).toEqual([
      [6, [...table.vector(6)].map((number) => Math.f16round(number))],
    ]);
    expect(sentTo(first, 2).vectors).toEqual([]);
    const train = () => core.train(shardBatch({ ...FIRST, added: [] }));
    for (let i = 0; i < 3; i++) expect(sentTo(train(), 1).vectors).toEqual([]);
    // Another edge to the same shard is nothing new to it.
    expect(sentTo(core.train(shardBatch({ inUse: [[6, 1]] })), 1).vectors).toEqual([]);
    table.vector(6)[0]! += distance - 0.01;
    expect(sentTo(train(), 1).vectors).toEqual([]);
    table.vector(6)[0]! += 0.02;
    expect(sentTo(train(), 1).vectors).toEqual([6]);
    expect(sentTo(train(), 1).vectors).toEqual([]);
  });

  it('gets the square root of the accumulator with the vector, first and after a move', () => {
    const made = shard({ uniformNegatives: 5 }, { ...FIRST, inUse: [[6, 1]] });
    const stated = ({ outgoing }: TrainReport) => listed(outgoing!.to[1]!.vectors, DIM + 1);
    const expected = () => {
      const numbers = [...made.table.vector(6), Math.sqrt(accumulatorOf(made, 6))];
      return [[6, numbers.map((number) => Math.f16round(number))]];
    };
    expect(accumulatorOf(made, 6)).toBeGreaterThan(0);
    expect(stated(made.report)).toEqual(expected());
    made.table.vector(6)[0]! += 0.3;
    expect(stated(made.core.train(shardBatch({ ...FIRST, added: [] })))).toEqual(expected());
    const again = made.core.train(shardBatch({ inUse: [[6, 1, 'wanted']] }));
    expect(stated(again)).toEqual(expected());
  });

  it('gets what another holder gets, once it holds a copy too', () => {
    const { core, table } = shard(SLOW, { ...FIRST, vectors: at(10) });
    core.train(shardBatch({ inUse: [[6, 1]] }));
    const second = core.train(shardBatch({ inUse: [[6, 2]] }));
    expect([sentTo(second, 1).vectors, sentTo(second, 2).vectors]).toEqual([[], [6]]);
    table.vector(6)[0]! += 0.3;
    const moved = core.train(shardBatch({ ...FIRST, added: [] }));
    expect([sentTo(moved, 1).vectors, sentTo(moved, 2).vectors]).toEqual([[6], [6]]);
    // A gradient from elsewhere moves a row as well.
    const { outgoing } = core.train(shardBatch({ gradients: [[6, vectorOf(1)]] }));
    expect(outgoing!.to.map(({ vectors }) => [...vectors.rows])).toEqual([[], [], []]);
    table.vector(6)[0]! -= 0.3;
    const again = core.train(shardBatch({ gradients: [[6, vectorOf(1)]] }));
    expect([sentTo(again, 1).vectors, sentTo(again, 2).vectors]).toEqual([[6], [6]]);
  });

  it('gets the new start of a row whose entity started again, and of two erasures the last', () => {
    const { core } = shard({ ...SLOW, initScale: 0.01 }, { ...FIRST, inUse: [[6, 1]] });
    for (let i = 0; i < 2; i++) {
      const { outgoing } = core.train(shardBatch({ reset: [6] }));
      expect(outgoing!.to.map(({ vectors }) => [...vectors.rows])).toEqual([[], [6], []]);
    }
  });

  it('that asks gets the vector though nothing moved, and whatever it was sent before', () => {
    const { core } = shard(SLOW, { ...FIRST, inUse: [[6, 1]] });
    const asked = (row: number, by: number) =>
      sentTo(core.train(shardBatch({ inUse: [[row, by, 'wanted']] })), by).vectors;
    // A copy is nobody's to send.
    expect([asked(6, 1), asked(6, 2), asked(8, 2)]).toEqual([[6], [6], []]);
  });

  it('is forgotten two turns after it last used its copy, and gets a vector with the next use', () => {
    const { core, table } = shard(SLOW, { ...FIRST, inUse: [[6, 1]] });
    const moved = (turn: boolean, inUse: Parameters<typeof shardBatch>[0]['inUse'] = []) => {
      table.vector(6)[0]! += table.vector(6)[0]! > 0 ? -0.3 : 0.3;
      return sentTo(core.train(shardBatch({ ...FIRST, added: [], turn, inUse })), 1).vectors;
    };
    expect([moved(false), moved(true), moved(false)]).toEqual([[6], [6], [6]]);
    // An edge, or a gradient, renews the lease.
    expect([moved(false, [[6, 1]]), moved(true), moved(true), moved(false)]).toEqual([[6], [6], [], []]);
    expect([moved(false, [[6, 1]]), moved(false)]).toEqual([[6], [6]]);
    // A use in the batch of the turn counts after it.
    expect([moved(true), moved(true, [[6, 1]]), moved(true), moved(true)]).toEqual([[6], [6], [6], []]);
  });

  it('is forgotten with the row', () => {
    const { core, table } = shard(SLOW, FIRST);
    core.train(shardBatch({ inUse: [[6, 1]] }));
    core.train(shardBatch({ dropped: [6], removed: edgesOf('6 follows 7') }));
    core.train(shardBatch({ reused: [[6, USER]], ...FIRST }));
    table.vector(6)[0]! += 0.3;
    const { outgoing } = core.train(shardBatch({ ...FIRST, added: [] }));
    expect(outgoing!.to.every(({ vectors }) => vectors.rows.length === 0)).toBe(true);
  });
});

describe('a copy whose entity starts again', () => {
  it('has no vector until the next comes', () => {
    const made = shard({}, { vectors: at(8), edges: edgesOf('6 follows 8') });
    const { core, table } = made;
    const { edges, outgoing } = core.train(
      shardBatch({ reset: [8], removed: edgesOf('6 follows 8'), edges: edgesOf('7 follows 8') }),
    );
    expect([edges, outgoing?.waiting]).toEqual([0, 1]);
    expect([[...table.vector(8)], accumulatorOf(made, 8)]).toEqual([
      new Array(DIM).fill(0),
      copyAccumulator(1),
    ]);
    expect(core.train(shardBatch({ vectors: [[8, vectorOf(3)]] })).edges).toBe(1);
    expect([...table.vector(8)]).toEqual(vectorOf(3));
  });
});

test('of edges with an own row a shard of three trains two thirds, of edges with a copy those with its own rows', () => {
  const table = new Table({ dim: DIM, maxRows: 10, workspaceBytes: 0 });
  table.addRows(10);
  const { entityTypes } = settings;
  const rows = new TrainerRows(table, new TypeRows(entityTypes.length, 10));
  const foreign = new ForeignRows(HERE.shard, { settings: { ...settings, maxRows: 10 }, table, rows });
  foreign.begin(shardBatch({ copies: [[8, 1]] }).shard);
  for (const side of ['lhs', 'rhs'] as const)
    expect([6, 8].map((row) => foreign.share(row, side))).toEqual([2 / 3, 1 / 3]);
});

describe('negatives', () => {
  const drawn = ({ steps }: Watched) => new Set(steps.flatMap(({ rhs }) => rhs.slice(1)));

  it('are own rows, new ones too', () => {
    const made = shard({ uniformNegatives: 4 }, { vectors: at(8) });
    for (let i = 0; i < 30; i++) made.core.train(shardBatch({ edges: edgesOf('6 follows 7'), added: [] }));
    expect(drawn(made)).toEqual(new Set([6, 7]));
  });

  test('of a type without own rows and without in-batch ones: nothing is trained, and nothing breaks', () => {
    const here = watched({ ...HERE, ...BARE, uniformNegatives: 3, inBatchNegatives: false });
    const { core, table } = here;
    core.train(shardBatch({ newTypes: [USER, TWEET], copies: [[7, 2]], vectors: at(7) }));
    const { loss, edges } = core.train(shardBatch({ edges: edgesOf('6 likes 7') }));
    expect([edges, ...loss]).toEqual([1, 0, 0, 0]);
    expect([...table.vector(6)].every(Number.isFinite)).toBe(true);
  });
});

describe('relation vectors', () => {
  /** A row for each relation and its reverse: vector and accumulator. */
  const copyOf = (number: number) =>
    Float32Array.from({ length: 6 * (DIM + 1) }, (_, i) => number + (i % (DIM + 1)) / 16);

  it('become the mean of all shards, accumulators as well, and were sent as they were before', () => {
    const { core, table } = shard({}, { edges: edgesOf('6 follows 7') });
    const { floats: before } = snapshotOf(core);
    const own = (row: number, k: number) => before[row * (DIM + 2) + k]!;
    const report = core.train(shardBatch({ relations: [copyOf(1), copyOf(-3)], wantsRelations: true }));
    expect(report.outgoing?.relations).toHaveLength(6 * (DIM + 1));
    for (let row = 0; row < 6; row++) {
      const at = table.at(row);
      const sent = report.outgoing!.relations!.subarray(row * (DIM + 1), (row + 1) * (DIM + 1));
      let squares = 0;
      for (let k = 0; k < DIM; k++) {
        expect(sent[k]).toBe(own(row, k));
        const mean = (own(row, k) + 1 + k / 16 - 3 + k / 16) / 3;
        expect(table.floats[at + k]).toBeCloseTo(mean, 6);
        squares += (mean - own(row, k)) ** 2;
      }
      expect(sent[DIM]).toBe(own(row, DIM));
      expect(table.floats[at + table.accumulator]).toBeCloseTo((own(row, DIM) - 2 + DIM / 8) / 3, 6);
      expect(table.floats[at + table.drift]).toBeCloseTo(own(row, DIM + 1) + Math.sqrt(squares), 5);
    }
  });

  it('are sent where they are asked for, and stay where nothing came', () => {
    const { core, table, report } = shard({}, { edges: edgesOf('6 follows 7') });
    expect(report.outgoing).not.toHaveProperty('relations');
    const before = [...table.vector(0)];
    const { outgoing } = core.train(shardBatch({ wantsRelations: true }));
    expect(outgoing?.relations?.subarray(0, DIM)).toEqual(Float32Array.from(before));
    expect([...table.vector(0)]).toEqual(before);
  });
});

describe('a checkpoint', () => {
  const NEGATIVES = { uniformNegatives: 5, updatesPerEdge: 3 };
  const LOADED = { ...HERE, ...BARE };
  const LIVE = '6 follows 7, 6 follows 8, 7 likes 9, 8 likes 9';

  it('brings back copies with their owners, those without a vector too, and training goes on alike with vectors that come', () => {
    const before = shard(
      { ...SLOW, ...NEGATIVES },
      { vectors: at(8), inUse: pairs('6 1, 7 1, 9 1'), edges: edgesOf(LIVE) },
    );
    expect([...before.core.state().absent]).toEqual([10]);
    const after = loadedFrom(before, { ...LOADED, ...SLOW, ...NEGATIVES });
    expect([8, 10].map((row) => accumulatorOf(after, row))).toEqual([1, 2].map(copyAccumulator));
    expect([...after.core.state().absent]).toEqual([10]);
    const [first, second] = [before, after].map(({ core }) =>
      core.train(
        shardBatch({ vectors: [[8, vectorOf(2)]], edges: edgesOf('7 follows 8, 7 likes 10, 6 likes 9') }),
      ),
    );
    expect([second!.edges, second!.outgoing?.waiting]).toEqual([2, 1]);
    expect(sentTo(second!, 1).gradients).toContain(8);
    expect(second!.outgoing!.to.map(({ gradients }) => listed(gradients))).toEqual(
      first!.outgoing!.to.map(({ gradients }) => listed(gradients)),
    );
    expect(snapshotOf(after.core)).toEqual(snapshotOf(before.core));
    // The vector that was lacking goes to the row that waits for it.
    expect(after.core.train(shardBatch({ vectors: at(10) })).edges).toBe(1);
    expect([...after.core.state().absent]).toEqual([]);
    // Leases are not stored: the first use sends a vector again.
    expect(sentTo(after.core.train(shardBatch({ inUse: [[6, 1]] })), 1).vectors).toEqual([6]);
  });

  it('leaves a copy where it is until its owner sends it: by how much the owner would move it is not stored', () => {
    const before = shard(NEGATIVES, { vectors: at(8), edges: edgesOf('6 follows 8') });
    const { core, table } = loadedFrom(before, { ...LOADED, ...NEGATIVES });
    const copy = [...table.vector(8)];
    const again = () => core.train(shardBatch({ edges: edgesOf('6 follows 8, 7 follows 8'), added: [] }));
    expect(sentTo(again(), 1).gradients).toContain(8);
    expect([...table.vector(8)]).toEqual(copy);
    core.train(shardBatch({ vectors: [[8, copy]] }));
    again();
    expect([...table.vector(8)]).not.toEqual(copy);
  });

  it('is as of the moment at which it began, whatever moves copies, own rows and relations before a row is taken', () => {
    const relations = new Float32Array(6 * (DIM + 1)).fill(0.5);
    const batches: Parameters<typeof shardBatch>[0][] = [
      { vectors: at(10, 8) },
      { gradients: at(6) },
      { relations: [relations], wantsRelations: true },
      { edges: edgesOf('6 follows 8, 7 likes 10'), added: [] },
      { reset: [8], removed: edgesOf('6 follows 8') },
      { dropped: [10] },
    ];
    for (const [i, batch] of batches.entries()) {
      const { core } = shard(NEGATIVES, { vectors: at(8, 10), edges: edgesOf('6 follows 8, 7 likes 9') });
      core.train(shardBatch({ edges: edgesOf('6 follows 7') }));
      core.due(DUE);
      const expected = comparable(snapshotOf(core));
      core.snapshot();
      core.train(shardBatch(batch));
      expect(comparable(takenFrom(core)), `batch ${i}`).toEqual(expected);
      expect(snapshotOf(core).floats, `batch ${i}`).not.toEqual(expected.floats);
    }
  });
});

test('shards of one seed start with the same relation vectors, and with other entities', () => {
  const start = (index: number) => {
    const { core, table } = watched({ shard: { index, count: 3 }, ...BARE });
    core.train(shardBatch({ newTypes: [USER] }));
    return Array.from({ length: table.rows }, (_, row) => [...table.vector(row)]);
  };
  const starts = [0, 1, 2].map(start);
  const relations = 2 * settings.relations.length;
  for (const each of starts) expect(each.slice(0, relations)).toEqual(starts[0]!.slice(0, relations));
  expect(new Set(starts.map((each) => each[relations]!.join())).size).toBe(3);
});
