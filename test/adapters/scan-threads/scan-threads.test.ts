import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ScanThreads } from '../../../src/adapters/scan-threads/scan-threads.ts';
import { FatalError, ShapeError } from '../../../src/errors/errors.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { rowMarks } from '../../../src/kernels/scan/scan.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';
import type { ScorerName } from '../../../src/model/settings.ts';
import { Random } from '../../../src/sampling/random.ts';
import { type Look, OwnScans, type Scans } from '../../../src/serve/looks.ts';
import { Gate, SharedPasses } from '../../../src/serve/shared-passes.ts';
import type { CandidatesAsked } from '../../../src/serve/surfaces.ts';
import { ReferenceScan } from '../../kernels/scan/reference.ts';
import { embedding, graphOf, relationVector, surfacesOf, tweet, user } from '../../serve/serve-fixture.ts';

const ALL: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
const THREADS = 3;
const fail = (error: Error) => {
  throw error;
};
/** Every block of rows is a part. */
const parts = { threads: THREADS, leastRows: 1, failed: fail } as const;
const threads = new ScanThreads(parts);
afterAll(() => threads.stop());

const others: ScanThreads[] = [];
const opened = (scans: ScanThreads) => {
  others.push(scans);
  return scans;
};
afterEach(async () => {
  await Promise.all(others.splice(0).map((scans) => scans.stop()));
});

function tableOf(rows: number, dim = 4, random = Random.seeded(1)): ScanTable {
  const table = new ScanTable({ dim, maxRows: 20_000, scanners: THREADS, pieceRows: 2_048 });
  for (let row = 0; row < rows; row++) table.write(row, vectorOf(dim, random));
  return table;
}
/** Of few values, so that many scores are equal. */
const vectorOf = (dim: number, random: Random) =>
  Float32Array.from({ length: dim }, () => random.below(9) / 4 - 1);
/** A look for the nearest to one query, of zeros. */
const lookAt = (table: ScanTable, depth: number, dim = 4): Look => ({
  ...{ table, scorer: 'twhin', depth },
  queries: [{ vector: new Float64Array(dim) }],
});

describe('threads that scan', () => {
  it.each(ALL)(
    'answer as brute force does, after the memory grew and rows came and went, with %s',
    async (scorer) => {
      const random = Random.seeded(11);
      const table = tableOf(0);
      const vectors = Array.from({ length: 5 }, () => Float64Array.from(vectorOf(4, random)));
      for (const rows of [0, 1, 1_030, 2_500, 5_000]) {
        for (let row = table.rows; row < rows; row++) table.write(row, vectorOf(4, random));
        for (let i = 0; i < rows / 50; i++) table.clear(random.below(rows));
        const reference = new ReferenceScan(table, scorer);
        const someRows = Array.from({ length: rows / 10 }, () => random.below(rows));
        const marked = rowMarks(rows);
        for (let i = 0; i < rows / 3; i++) marked[random.below(rows)] = 1;
        const queries = vectors.slice(0, 4).map((vector, i) => ({
          vector,
          leftOut: i % 2 ? someRows : [],
          marked: i > 1 ? marked : undefined,
        }));
        // Several passes at the same time.
        const answers = await Promise.all([
          threads.top({ table, scorer, queries, depth: 30 }),
          threads.top({ table, scorer, queries: queries.slice(0, 1), depth: 7 }),
        ]);
        expect(answers).toEqual([reference.top(queries, 30), reference.top(queries.slice(0, 1), 7)]);
      }
    },
  );

  it('refuse what a scan refuses, and go on', async () => {
    const table = tableOf(2_100);
    await expect(threads.top(lookAt(table, 1, 3))).rejects.toThrow(ShapeError);
    expect((await threads.top(lookAt(table, 2)))[0]).toHaveLength(2);
  });

  it('are all done with a scan when one of them fails', async () => {
    const entry = new URL('./half-fails.js', import.meta.url);
    const scans = opened(new ScanThreads({ ...parts, threads: 2, entry }));
    const table = tableOf(2_000);
    await expect(scans.top(lookAt(table, 1))).rejects.toThrow('no');
    // Whoever is told may write to the table.
    expect(table.bytes[0]).toBe(1);
  });

  it('answer what is out before they stop, and nothing afterwards', async () => {
    const scans = opened(new ScanThreads(parts));
    const table = tableOf(4_000);
    const out = [1, 2, 3].map((depth) => scans.top(lookAt(table, depth)));
    await scans.stop();
    expect((await Promise.all(out)).map(([list]) => list?.length)).toEqual([1, 2, 3]);
    await expect(scans.top(lookAt(table, 1))).rejects.toMatchObject({ code: 'thread' });
  });
});

describe('a thread that dies', () => {
  it.each([
    ['with an error', './dies.js', /out of luck/],
    ['without a word', './exits.js', /exited with code 3/],
  ] as const)('%s is told, and no request waits for ever or is taken again', async (_, file, reason) => {
    const told: FatalError[] = [];
    const entry = new URL(file, import.meta.url);
    const failed = (error: FatalError) => void told.push(error);
    const scans = opened(new ScanThreads({ ...parts, threads: 1, failed, entry }));
    const gate = new Gate();
    const graph = graphOf();
    graph.put(user(1), [0, 0]);
    graph.put(tweet(1), [1, 0]);
    graph.relate('likes', [0, 0]);
    const passes = new SharedPasses({ scans, gate, later: setImmediate, turn: immediate, clock: () => 0 });
    const surfaces = surfacesOf(graph, { passes });
    const asked = { surface: 'home', from: user(1), k: 1 } as const;
    const requests = [surfaces.candidates(asked), surfaces.similar({ entity: tweet(1), k: 1 })];
    for (const { status, ...request } of await Promise.allSettled(requests)) {
      expect([status, request]).toEqual(['rejected', { reason: expect.any(FatalError) }]);
    }
    await expect(surfaces.candidates(asked)).rejects.toMatchObject({ code: 'thread' });
    expect(told).toEqual([
      expect.objectContaining({ code: 'thread', message: expect.stringMatching(reason) }),
    ]);
    // Vectors are written as before.
    expect(gate.write(() => undefined)).toBeUndefined();
  });
});

/**
 * Asks again and again while vectors move, come and go, and another space takes over. Gives the answers, those of the main
 * thread in the state in which their round began, and what they saw.
 */
async function churn(scorer: ScorerName) {
  const gate = new Gate();
  const random = Random.seeded(3);
  const DIM = 3;
  const point = () => Array.from({ length: DIM }, () => Math.round(40 * random.uniform()) / 20 - 1);
  const graph = graphOf({ scanners: THREADS });
  const of = { scorer, beta: 0.5 };
  for (const relation of ['likes', 'retweets']) graph.relate(relation, point(), of);
  for (let i = 0; i < 20; i++) graph.put(user(i), point());
  for (let i = 0; i < 900; i++) graph.put(tweet(i), point());
  for (let i = 0; i < 20; i++) {
    graph.edges(user(i), 'likes', [tweet(i), tweet(i + 30)]);
    if (i % 2 === 0) graph.edges(user(i), 'retweets', [tweet(i + 60)]);
  }
  let tweets = 900;
  let [space, step] = ['a', 1];
  /** What arrives in one turn of the event loop. */
  const arrive = () => {
    const writes: (() => void)[] = [];
    const put = (entity: EntityKey, vector: number[] | null) =>
      writes.push(() => graph.spaces.embed(entity, embedding(vector, { space, step: step++ })));
    for (let i = 0; i < 40; i++) put(tweet(random.below(tweets)), point());
    for (let i = 0; i < 5; i++) put(tweet(random.below(tweets)), null);
    for (let i = 0; i < 60 && tweets < 4_000; i++) put(tweet(tweets++), point());
    put(user(random.below(20)), point());
    void gate.write(() => {
      for (const write of writes) write();
    });
  };
  const ask = (passes: SharedPasses, n: number): Promise<unknown> => {
    const surfaces = surfacesOf(graph, { passes });
    const asked: CandidatesAsked = {
      surface: 'home',
      from: user(n % 20),
      k: 1 + (n % 30),
      exclude: [tweet(n), tweet(3_900 - n)],
      explain: n % 2 === 0,
    };
    if (n % 5 === 3) return surfaces.similar({ entity: tweet(n), k: 10 });
    return surfaces.candidates(asked);
  };
  /** Requests without an answer, each with what the main thread answers as of the begin of the last round. */
  const asked = new Set<number>();
  const expected: unknown[] = [];
  const plain = new OwnScans();
  const scans: Scans = {
    // Vectors arrive for sure while a scan is out.
    top: async (look) => {
      arrive();
      const lists = await threads.top(look);
      await new Promise(setImmediate);
      arrive();
      return lists;
    },
    stop: async () => undefined,
  };
  const own = new SharedPasses({
    ...{ scans: plain, gate: new Gate(), turn: immediate, clock: () => 0 },
    later: (task) => task(),
  });
  const shared = new SharedPasses({
    ...{ scans, gate, turn: immediate, clock: () => 0 },
    later: (task) =>
      void setImmediate(async () => {
        // Promises alone: nothing arrives between here and the round.
        const waiting = [...asked];
        const plainly = await Promise.allSettled(waiting.map((n) => ask(own, n)));
        for (const [i, n] of waiting.entries()) expected[n] = plainly[i];
        task();
      }),
  });
  const answers: Promise<unknown>[] = [];
  for (let n = 0; n < 120; n++) {
    asked.add(n);
    const answer = ask(shared, n);
    void answer.catch(() => undefined).then(() => asked.delete(n));
    answers.push(answer);
    if (n === 70) {
      [space, step] = ['b', 1_000_000];
      for (const relation of ['likes', 'retweets'])
        graph.spaces.relate(relationVector(relation, point(), { ...of, space }));
      const takeOver = [
        ...Array.from({ length: 20 }, (_, i) => user(i)),
        ...Array.from({ length: tweets }, (_, i) => tweet(i)),
      ];
      const vectors = takeOver.map(point);
      void gate.write(() => {
        for (const [i, entity] of takeOver.entries())
          graph.spaces.embed(entity, embedding(vectors[i]!, { space, step: step++ }));
      });
    }
    if (n % 6 === 5) await Promise.allSettled(answers);
    else if (n % 2 === 0) await new Promise(setImmediate);
    arrive();
  }
  const settled = await Promise.allSettled(answers);
  const spaces = new Set(
    settled.map((answer) => (answer.status === 'fulfilled' ? Object(answer.value).space : 'failed')),
  );
  return { settled, expected, spaces: [...spaces].sort(), tweets };
}

describe('answers by threads while vectors move, come and go, and spaces change', () => {
  it.each(ALL)('are those of the main thread as of the begin of their round, with %s', async (scorer) => {
    const { settled, expected, spaces, tweets } = await churn(scorer);
    expect(settled).toEqual(expected);
    // They saw both spaces, and memory that grew.
    expect([spaces.filter((space) => space !== undefined), tweets]).toEqual([['a', 'b'], 4_000]);
  });
});
