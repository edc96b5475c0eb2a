import { describe, expect, it } from 'vitest';
import { type EntityKey, entityKey } from '../../src/graph/entity.ts';
import { shardOf, trainingShard } from '../../src/graph/shard.ts';
import type { Kernel } from '../../src/model/kernel.ts';
import type { Table } from '../../src/model/table.ts';
import { localTrainer } from '../../src/pipeline/training/local-trainer.ts';
import type { RowVectors } from '../../src/pipeline/training/shard-batch.ts';
import type { KernelMaker } from '../../src/pipeline/training/train.ts';
import type {
  PrequentialSettings,
  RankedEdges,
  Trainer,
  TrainerSettings,
} from '../../src/pipeline/training/trainer.ts';
import { Random } from '../../src/sampling/random.ts';
import { JoinedRanking } from '../../src/shards/joined-ranking.ts';
import {
  batchOf,
  DUE,
  FIRST_ENTITY,
  kernels,
  settings,
  triples,
  World,
} from '../pipeline/training/trainer-fixture.ts';
import { DIM, listed, shardBatch } from './shard-fixture.ts';

const prequential: PrequentialSettings = {
  seed: 7,
  from: 30,
  candidates: 20,
  halfLife: 10,
  before: triples([]),
};

describe('JoinedRanking', () => {
  it.each(['reference', 'wasm-plain'] as const)(
    'ranks the edges of one part as the trainer of the whole graph does, on %s',
    async (kernel) => {
      const { whole, part, ranked } = wholeAndPart({ ...settings, kernel }, prequential);
      const [expected, floats] = await run(whole);
      const [none, same] = await run(part);
      expect(none).toEqual([]);
      expect(ranked.filter(({ edge }) => edge.length > 0)).toEqual(expected);
      expect(expected.flatMap(({ edge }) => [...edge]).length).toBeGreaterThan(300);
      expect(same).toEqual(floats);
    },
  );

  it('lets a row that started again take part once rehearsal has trained it', async () => {
    const ranks = { ...prequential, from: 5 };
    const { whole, part, ranked } = wholeAndPart({ ...settings, updatesPerEdge: 8 }, ranks);
    const batches = [
      batchOf({
        newTypes: [0, 0, 1, 1, 1],
        edges: [
          [6, LIKES, 8],
          [7, LIKES, 9],
          [6, LIKES, 9],
          [7, LIKES, 10],
        ],
      }),
      batchOf({ reset: [9], edges: [[7, LIKES, 8]] }),
      batchOf({ newTypes: [0], edges: [[11, LIKES, 10]] }),
    ];
    const reports = [];
    for (const trainer of [whole, part]) await trainer.start(undefined);
    for (const batch of batches) {
      reports.push(await whole.train(batch));
      await part.train(batch);
    }
    expect(ranked.at(-1)).toEqual(reports.at(-1)?.ranked);
    expect([...ranked.at(-1)!.edge]).toEqual([5]);
  });

  it('ranks each edge of three shards once, among their own rows with the vectors of now', async () => {
    const graph = new Shards(3, 100);
    await graph.start();
    const random = Random.seeded(3);
    for (let told = 0; told < 400; told++) {
      const [user, tweet] = [random.below(30), random.below(30)];
      graph.tell([entityKey('user', `${user}`), LIKES, entityKey('tweet', `${tweet}`)]);
      // Each shard is somewhere else in the stream.
      if (random.below(4) === 0) await graph.train(random.below(3), 1 + random.below(30));
    }
    for (let index = 0; index < 3; index++) await graph.train(index);
    expect(graph.ranked.flatMap(({ edge }) => [...edge])).toEqual(
      Array.from({ length: 300 }, (_, i) => 100 + i),
    );
    expect(graph.scored).toBeGreaterThan(1_000);
    expect(graph.copies).toBe(0);
    // Every entity has been met by more than one shard: where copies took part, there would be some to draw.
    expect(graph.copiesHeld).toBeGreaterThan(30);
  });

  it('counts a live edge of two shards once, as soon as the shard that trains it has it', async () => {
    const graph = new Shards(2, 3);
    await graph.start();
    const [far, near] = [ofShard('tweet', 1, 0), ofShard('tweet', 0, 0)];
    graph.tell([ofShard('user', 0, 0), LIKES, near]);
    graph.tell([ofShard('user', 0, 1), LIKES, near]);
    graph.tell([ofShard('user', 0, 2), LIKES, far]);
    await graph.train(0);
    // The vector of the far tweet comes, and its gradient goes home.
    for (const shard of [1, 0, 1]) await graph.train(shard);
    graph.tell([ofShard('user', 0, 3), LIKES, near]);
    await graph.train(0);
    const [{ edge, rhsEvents, ranks }] = [graph.ranked.at(-1)!];
    expect([...edge]).toEqual([3]);
    expect([...rhsEvents]).toEqual([2]);
    // The other tweet is the only candidate left, and has one like: with two, every second rank would be lost to it.
    expect([ranks[2], ranks[3]]).toEqual([1, 1]);
    expect(ranks[8]).toBeGreaterThan(0);
  });

  it('has no entity as a candidate whose edges wait, and has it once it is trained', async () => {
    const graph = new Shards(2, 2);
    await graph.start();
    const [far, near] = [ofShard('tweet', 1), ofShard('tweet', 0)];
    graph.tell([ofShard('user', 0, 0), LIKES, near]);
    graph.tell([ofShard('user', 0, 0), LIKES, far]);
    await graph.train(0);
    // Its owner has started the far tweet. Its vector comes with the next batch.
    await graph.train(1);
    // The far tweet would be the only candidate: without it, the edge is not ranked.
    graph.tell([ofShard('user', 0, 1), LIKES, near]);
    await graph.train(0);
    expect(graph.ranked.map(({ edge }) => edge.length)).toEqual([0, 0]);
    await graph.train(1);
    graph.tell([ofShard('user', 0, 2), LIKES, near]);
    await graph.train(0);
    expect([...graph.ranked.at(-1)!.edge]).toEqual([3]);
  });

  it('ranks a repetition once more, and again what came after an erasure', async () => {
    const graph = new Shards(2, 20);
    await graph.start();
    const [user, tweet] = [ofShard('user', 0), ofShard('tweet', 1)];
    for (let i = 0; i < 20; i++) graph.tell([ofShard('user', 0, i), LIKES, ofShard('tweet', 0, i)]);
    await graph.train(0);
    const count = () => graph.ranked.reduce((sum, { edge }) => sum + edge.length, 0);
    const edge = [user, LIKES, tweet] as const;
    graph.tell(edge);
    await graph.train(1);
    expect(count()).toBe(0);
    await graph.train(0);
    expect(count()).toBe(1);
    graph.tell(edge);
    await graph.train(0);
    expect(count()).toBe(2);
    // The batch no longer has the edge: the user is erased.
    graph.tell(edge);
    graph.erase(0, user);
    await graph.train(0);
    expect(count()).toBe(2);
    graph.tell(edge);
    await graph.train(0);
    expect(count()).toBe(3);
  });
});

/** A trainer of a whole graph, and one of its only part. ranked: what is ranked beside the latter. */
function wholeAndPart(of: TrainerSettings, ranks: PrequentialSettings) {
  const ranked: RankedEdges[] = [];
  const joined = new JoinedRanking({
    settings: of,
    prequential: ranks,
    shards: 1,
    kernels,
    rowOf: (entity) => Number(entity.split(':')[1]),
    onRanked: (edges) => ranked.push(edges),
  });
  return {
    whole: localTrainer({ ...of, prequential: ranks }, kernels),
    part: joined.trainer(0, of, (row) => entityKey('any', `${row}`)),
    ranked,
  };
}

/** Trains batches of a made-up stream. Gives what was ranked, and all numbers of the rows. */
async function run(trainer: Trainer): Promise<[RankedEdges[], Float32Array]> {
  await trainer.start(undefined);
  const world = new World(5);
  const ranked: RankedEdges[] = [];
  for (let i = 0; i < 12; i++) {
    const report = await trainer.train(world.next());
    if (report.ranked && report.ranked.edge.length > 0) ranked.push(report.ranked);
    if (i % 4 === 3) world.write(await trainer.checkpoint({ ...DUE, now: i }));
  }
  const { floats } = await trainer.checkpoint({ ...DUE, everything: true, now: 100 });
  await trainer.stop();
  return [ranked, floats.slice()];
}

const LIKES = 1;
type Edge = readonly [lhs: EntityKey, relation: number, rhs: EntityKey];

/** The n-th entity of a type that one of two shards owns. */
function ofShard(type: string, shard: number, n = 0): EntityKey {
  const keys = Array.from({ length: 200 }, (_, i) => entityKey(type, `${i}`));
  return keys.filter((key) => shardOf(key, 2) === shard)[n]!;
}

/** A shard of {@link Shards}: its entities by row, and what waits for its next batch. */
class Part {
  readonly trainer: Trainer;
  readonly table: Table;
  readonly keys: EntityKey[];
  readonly live = new Set<string>();
  edges: Edge[] = [];
  /** Own entities that another shard trains edges with. */
  named: (readonly [EntityKey, number])[] = [];
  dropped: number[] = [];
  /** Vectors and gradients that others sent. */
  vectors: [EntityKey, number[]][] = [];
  gradients: [EntityKey, number[]][] = [];

  constructor(trainer: Trainer, table: Table, keys: EntityKey[]) {
    this.trainer = trainer;
    this.table = table;
    this.keys = keys;
  }

  row(key: EntityKey): number {
    return FIRST_ENTITY + this.keys.lastIndexOf(key);
  }
}

/** Shards of one graph, each trained when it is told. Scored vectors are compared with those of the owners. */
class Shards {
  readonly ranked: RankedEdges[] = [];
  scored = 0;
  /** Vectors scored that no owner has. */
  copies = 0;
  readonly #parts: Part[] = [];
  readonly #rows = new Map<EntityKey, number>();

  constructor(count: number, from: number) {
    const tables: Table[] = [];
    const watching: KernelMaker = {
      ...kernels,
      createKernel: (name, table, model, limits) => {
        const kernel = kernels.createKernel(name, table, model, limits);
        if (tables.length === 0) this.#watch(kernel, table);
        tables.push(table);
        return kernel;
      },
    };
    const joined = new JoinedRanking({
      settings,
      prequential: { ...prequential, from },
      shards: count,
      kernels: watching,
      rowOf: (entity) => {
        const row = this.#rows.get(entity) ?? FIRST_ENTITY + this.#rows.size;
        this.#rows.set(entity, row);
        return row;
      },
      onRanked: (edges) => this.ranked.push(edges),
    });
    for (let index = 0; index < count; index++) {
      const keys: EntityKey[] = [];
      const own = { ...settings, evaluatedEdges: 0, shard: { index, count } };
      const trainer = joined.trainer(index, own, (row) => keys[row - FIRST_ENTITY]);
      this.#parts.push(new Part(trainer, tables.at(-1)!, keys));
    }
  }

  get copiesHeld(): number {
    return this.#parts.reduce((sum, part, index) => sum + part.keys.length - this.#own(index).length, 0);
  }

  async start(): Promise<void> {
    for (const { trainer } of this.#parts) await trainer.start(undefined);
  }

  /** Puts an edge before the shard that trains it, and its end before the other. */
  tell(edge: Edge): void {
    const [lhs, rhs] = [this.#home(edge[0]), this.#home(edge[2])];
    const trainedBy = trainingShard(lhs, rhs, this.#parts.length);
    this.#parts[trainedBy]!.edges.push(edge);
    if (lhs !== trainedBy) this.#parts[lhs]!.named.push([edge[0], trainedBy]);
    if (rhs !== trainedBy) this.#parts[rhs]!.named.push([edge[2], trainedBy]);
  }

  /** Erases an entity in one shard, which loses its edges that wait. */
  erase(index: number, key: EntityKey): void {
    const part = this.#parts[index]!;
    part.dropped.push(part.row(key));
    part.edges = part.edges.filter(([lhs, , rhs]) => lhs !== key && rhs !== key);
  }

  /** Trains the next edges of a shard; all that wait unless said. */
  async train(index: number, most = Number.POSITIVE_INFINITY): Promise<void> {
    const part = this.#parts[index]!;
    const told = part.edges.splice(0, most);
    const named = new Set([...told.flatMap(([lhs, , rhs]) => [lhs, rhs]), ...part.named.map(([key]) => key)]);
    const fresh = [...named].filter((key) => !part.keys.includes(key));
    part.keys.push(...fresh);
    const added = told.filter((edge) => !part.live.has(edge.join()));
    for (const edge of added) part.live.add(edge.join());
    const rows = ([lhs, relation, rhs]: Edge) => [part.row(lhs), relation, part.row(rhs)] as const;
    const { dropped, vectors, gradients } = part;
    const { outgoing } = await part.trainer.train(
      shardBatch({
        newTypes: fresh.map((key) => (key.startsWith('user') ? 0 : 1)),
        copies: fresh
          .map((key) => [part.row(key), this.#home(key)] as const)
          .filter(([, home]) => home !== index),
        dropped,
        inUse: part.named.map(([key, shard]) => [part.row(key), shard] as const),
        edges: told.map(rows),
        added: [...new Map(added.map((edge) => [edge.join(), edge])).values()].map(rows),
        vectors: vectors.map(([key, vector]) => [part.row(key), vector]),
        gradients: gradients.map(([key, gradient]) => [part.row(key), gradient]),
      }),
    );
    // An erased entity is told again under a row of its own.
    for (const row of dropped) part.keys[row - FIRST_ENTITY] = entityKey('gone', `${row}`);
    [part.named, part.dropped, part.vectors, part.gradients] = [[], [], [], []];
    outgoing?.to.forEach((sent, to) => {
      const named = (of: RowVectors, width: number): [EntityKey, number[]][] =>
        listed(of, width).map(([row, vector]) => [part.keys[row - FIRST_ENTITY]!, vector]);
      const known = ([key]: [EntityKey, number[]]) => this.#parts[to]!.keys.includes(key);
      this.#parts[to]?.vectors.push(...named(sent.vectors, DIM + 1).filter(known));
      this.#parts[to]?.gradients.push(...named(sent.gradients, DIM).filter(known));
    });
  }

  #home(key: EntityKey): number {
    return shardOf(key, this.#parts.length);
  }

  #own(index: number): EntityKey[] {
    return this.#parts[index]!.keys.filter((key) => this.#home(key) === index);
  }

  #watch(kernel: Kernel, scratch: Table): void {
    const scoreMatrix = kernel.scoreMatrix.bind(kernel);
    kernel.scoreMatrix = (anchors, relationRows, candidates, out) => {
      const owned = new Set([
        scratch
          .vector(0)
          .map(() => 0)
          .join(),
      ]);
      for (const [index, part] of this.#parts.entries()) {
        for (const key of this.#own(index)) {
          const row = part.row(key);
          if (row < part.table.rows) owned.add(part.table.vector(row).join());
        }
      }
      for (const row of [...anchors, ...candidates]) {
        this.scored++;
        if (!owned.has(scratch.vector(row).join())) this.copies++;
      }
      scoreMatrix(anchors, relationRows, candidates, out);
    };
  }
}
