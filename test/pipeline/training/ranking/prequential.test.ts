import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../../src/model/kernel.ts';
import { decodeBatch } from '../../../../src/pipeline/training/batch-codec.ts';
import { localTrainer } from '../../../../src/pipeline/training/local-trainer.ts';
import { Prequential } from '../../../../src/pipeline/training/ranking/prequential.ts';
import type { PrequentialSettings, Trainer } from '../../../../src/pipeline/training/trainer.ts';
import { KnownPositives } from '../../../../src/sampling/known-positives.ts';
import { TypeRows } from '../../../../src/sampling/type-rows.ts';
import { asyncOf } from '../../../graph/graph-fixture.ts';
import { MemoryCheckpoints } from '../../../graph/memory-checkpoints.ts';
import {
  batchOf,
  blocksOf,
  DUE,
  type Edge,
  edgesOf,
  kernels,
  settings,
  triples,
  World,
} from '../trainer-fixture.ts';

const prequential: PrequentialSettings = {
  seed: 7,
  from: 0,
  candidates: 20,
  halfLife: 10,
  before: triples([]),
};

/** Users are rows 6 and 7, tweets 10 … 13; the kernel scores a tweet as told. Tweet 13 was never trained. */
function setUp(overrides: Partial<PrequentialSettings> = {}) {
  const scoreOf: Record<number, number> = { 10: 0.9, 11: 0.5, 12: 0.5, 13: 2 };
  const kernel: Pick<Kernel, 'scoreMatrix'> = {
    scoreMatrix: (anchors, _relationRows, candidates, out) => {
      anchors.forEach((_, i) => {
        candidates.forEach((row, k) => {
          out[i * candidates.length + k] = scoreOf[row]!;
        });
      });
    },
  };
  const types = new TypeRows(2, 20);
  for (const row of [6, 7, 10, 11, 12, 13]) types.add(row, row < 10 ? 0 : 1);
  const known = new KnownPositives({ maxRows: 20, maxEdges: 100 });
  const ranking = new Prequential({
    settings: { ...settings, maxRows: 20 },
    prequential: { ...prequential, ...overrides },
    kernel,
    known,
    types,
    trained: new Uint8Array(20).fill(1, 6, 13),
    // A tweet lies at a tenth of its row, a user at none.
    vector: (row) => new Float32Array(settings.model.dim).fill(row < 10 ? 0 : row / 10),
  });
  const learn = (edges: Edge[]) => {
    for (const edge of edges) known.add(...edge);
    ranking.learn(decodeBatch(batchOf({ edges }).numbers));
  };
  return { ranking, known, learn };
}

describe('Prequential', () => {
  it('ranks an edge among candidates of both kinds, beside both popularities', () => {
    const { ranking, learn } = setUp();
    // Likes (relation 1): tweet 10 once and long ago, tweet 11 twice.
    learn(edgesOf('7 likes 10'));
    learn(edgesOf('7 likes 11, 6 replies 12'));
    learn(edgesOf('6 likes 11'));
    const { ranks, ...rest } = ranking.rank(triples(edgesOf('6 likes 12')));
    expect(rest).toEqual({
      edge: Float64Array.of(4),
      lhs: Int32Array.of(6),
      relation: Uint8Array.of(1),
      lhsEvents: Int32Array.of(2),
      rhsEvents: Int32Array.of(1),
      repeated: Uint8Array.of(0),
    });
    // Tweet 11 is masked, 13 is not trained and 12 is the positive: only 10 is left, and scores higher than 12.
    const [uniform = 0, degree = 0] = [ranks[8], ranks[9]];
    expect(uniform).toBeGreaterThan(0);
    expect(degree).toBeGreaterThan(0);
    // By degree, 10 is drawn once in three; 12 has no like, and is never drawn.
    expect(degree).toBeLessThan(20);
    // The tweet is the younger end: as a random start it is further away than the score of any other tells.
    expect([...ranks.slice(0, 8)]).toEqual(
      [1, 1, 1, 1, 1, 1, 1, 1].map((one, i) => one + (i % 2 ? degree : uniform)),
    );
  });

  it('counts a tie half, and leaves popularity without an event to chance', () => {
    const { ranking, learn } = setUp();
    learn(edgesOf('7 likes 11'));
    const { ranks } = ranking.rank(triples(edgesOf('6 likes 12')));
    const [uniform = 0, degree = 0] = [ranks[8], ranks[9]];
    // All candidates by degree are tweet 11, which scores as 12 does and is the only one liked.
    expect(degree).toBe(20);
    expect(ranks[1]).toBe(11);
    expect([ranks[3], ranks[5]]).toEqual([21, 21]);
    // Uniform candidates are 10, 11 and, masked, 12 and 13.
    expect(uniform).toBeGreaterThan(0);
    expect(ranks[0]).toBeGreaterThan(1);
  });

  it('asks with a random start for the younger end, on draws of its own', () => {
    const { ranking, learn } = setUp();
    learn(edgesOf('7 likes 10, 7 likes 11, 7 replies 12, 7 replies 10'));
    // User 6 is new, tweets 10 and 12 are not: from wherever the user starts, 10 is the nearest tweet, and 12 the furthest.
    const { ranks } = ranking.rank(triples(edgesOf('6 likes 10, 6 likes 12')));
    const [nearest, furthest] = [ranks.subarray(0, 10), ranks.subarray(10)];
    expect([nearest[6], nearest[7]]).toEqual([1, 1]);
    expect([furthest[6], furthest[7]]).toEqual([1 + furthest[8]!, 1 + furthest[9]!]);
    // What the kernel says of them is another matter: 12 ties with 11.
    expect(furthest[0]).toBeLessThan(furthest[6]!);
  });

  it('marks repeated edges, and begins at the edge it is told', () => {
    const { ranking, learn } = setUp({ from: 4, before: triples(edgesOf('7 likes 10')) });
    learn(edgesOf('7 likes 11, 6 likes 10'));
    const ranked = ranking.rank(triples(edgesOf('6 likes 11, 7 likes 11, 7 likes 12')));
    expect([...ranked.edge]).toEqual([4, 5]);
    expect([...ranked.repeated]).toEqual([1, 0]);
    expect([...ranked.lhsEvents]).toEqual([2, 2]);
    expect([...ranked.rhsEvents]).toEqual([1, 0]);
  });

  it('forgets the events of a row that is dropped or starts again', () => {
    const { ranking, learn } = setUp();
    learn(edgesOf('6 likes 11, 6 likes 10, 7 replies 12'));
    const events = () => {
      const { lhsEvents, rhsEvents } = ranking.rank(triples(edgesOf('7 likes 11')));
      return [...lhsEvents, ...rhsEvents];
    };
    expect(events()).toEqual([1, 1]);
    ranking.learn(decodeBatch(batchOf({ dropped: [11], reset: [7] }).numbers));
    expect(events()).toEqual([0, 0]);
  });

  it('ranks no edge of a relation that has no live edge to draw from', () => {
    const { ranking, learn } = setUp();
    learn(edgesOf('7 replies 11'));
    expect(ranking.rank(triples(edgesOf('6 likes 12'))).edge).toHaveLength(0);
  });

  it('draws by the live edges, without those removed', () => {
    const { ranking, known, learn } = setUp();
    learn(edgesOf('7 likes 11, 7 likes 10'));
    known.remove(7, 1, 11);
    ranking.learn(decodeBatch(batchOf({ removed: edgesOf('7 likes 11') }).numbers));
    const { ranks } = ranking.rank(triples(edgesOf('6 likes 12')));
    // All candidates by degree are tweet 10.
    expect(ranks[9]).toBe(20);
    expect(ranks[1]).toBe(21);
  });
});

describe('training with prequential ranking', () => {
  it('gives the same bytes as without', async () => {
    const [plain, ranked] = await Promise.all([run(undefined), run(prequential)]);
    expect(plain.reports).toEqual(ranked.reports);
    expect(plain.blocks).toEqual(ranked.blocks);
    expect(plain.state).toEqual(ranked.state);
    expect(ranked.ranked.length).toBeGreaterThan(100);
    expect(plain.ranked).toHaveLength(0);
  });

  it('goes on after a stop with the events and edges that it is given', async () => {
    const edges = edgesOf('6 likes 8, 7 likes 9, 6 replies 9, 7 likes 8');
    const whole = localTrainer({ ...settings, prequential }, kernels);
    await whole.start(undefined);
    await whole.train(batchOf({ newTypes: [0, 0, 1, 1], edges }));
    const state = await whole.due(DUE);
    const before = triples(edges);
    const resumed = localTrainer({ ...settings, prequential: { ...prequential, before } }, kernels);
    const held = new MemoryCheckpoints();
    await held.write({ commit: 1, step: 0, random: [] }, asyncOf(...(await blocksOf(whole))));
    expect(await resumed.load(await held.open(1))).toBe(true);
    await resumed.start(state);
    const next = batchOf({ edges: edgesOf('6 likes 9, 7 replies 8') });
    const ranksOf = async (trainer: Trainer) => (await trainer.train(next)).ranked;
    const [goesOn, again] = [await ranksOf(whole), await ranksOf(resumed)];
    // Of the first edge, both tweets are known positives: no candidate is left. Draws start anew with the trainer.
    expect([...(goesOn?.edge ?? [])]).toEqual([5]);
    expect({ ...again, ranks: undefined }).toEqual({ ...goesOn, ranks: undefined });
    expect([...(again?.lhsEvents ?? []), ...(again?.rhsEvents ?? [])]).toEqual([2, 2]);
    await Promise.all([whole.stop(), resumed.stop()]);
  });
});

async function run(setting: PrequentialSettings | undefined) {
  const trainer: Trainer = localTrainer({ ...settings, prequential: setting }, kernels);
  await trainer.start(undefined);
  const world = new World(5);
  const reports: unknown[] = [];
  const ranked: number[] = [];
  for (let i = 0; i < 6; i++) {
    const { ranked: edges, ...report } = await trainer.train(world.next());
    reports.push(report);
    ranked.push(...(edges?.edge ?? []));
  }
  const state = await trainer.due(DUE);
  const blocks = await blocksOf(trainer);
  await trainer.stop();
  return { reports, ranked, blocks, state };
}
