import { describe, expect, it } from 'vitest';
import { FatalError } from '../../../src/errors/errors.ts';
import type { Kernel } from '../../../src/model/kernel.ts';
import type { Lane, Stepper } from '../../../src/pipeline/training/stepper.ts';
import { type KernelMaker, TrainerCore } from '../../../src/pipeline/training/trainer-core.ts';
import { Random } from '../../../src/sampling/random.ts';
import { batchOf, DUE, kernels, settings } from './trainer-fixture.ts';

/** A stepper of one lane in this thread: a kernel that steps when it is waited for. */
class Lazy implements Stepper {
  readonly kernel: Kernel;
  readonly #lane: Lane;
  steps = 0;
  stopped = false;
  #begun = false;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#lane = {
      chunk: kernel.chunk,
      losses: kernel.losses,
      begin: () => {
        this.#begun = true;
      },
      finish: () => {
        this.#begun = false;
        this.steps++;
        kernel.step();
      },
    };
  }

  take(): Lane | undefined {
    return this.#begun ? undefined : this.#lane;
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** A trainer of so many threads with lazy steppers, and one that has none. Relation r joins users and tweets of its own. */
function pair(count: number) {
  const lazy: Lazy[] = [];
  const maker: KernelMaker = {
    ...kernels,
    startSteppers: (name, table, model, { threads, ...limits }) => {
      for (let i = 0; i < Math.max(1, threads - 1); i++)
        lazy.push(new Lazy(kernels.createKernel(name, table, model, limits)));
      return lazy;
    },
  };
  const chosen = {
    ...settings,
    entityTypes: ['a', 'b', 'c', 'd', 'e', 'f'],
    relations: [0, 1, 2].map((r) => ({ name: `r${r}`, lhsType: 2 * r, rhsType: 2 * r + 1 })),
    uniformNegatives: 0,
  };
  const core = new TrainerCore({ ...chosen, threads: count }, maker);
  const alone = new TrainerCore(chosen, kernels);
  for (const each of [core, alone]) each.start(undefined);
  return { core, alone, lazy };
}

/** Ten edges of each relation, two chunks of each, which share its rows. */
function batch(random: Random, newTypes: number[] = []) {
  return batchOf({
    newTypes,
    edges: Array.from({ length: 30 }, (_, i) => {
      const r = i % 3;
      return [6 + 6 * random.below(9) + 2 * r, r, 6 + 6 * random.below(9) + 2 * r + 1];
    }),
  });
}

const NEW_TYPES = Array.from({ length: 54 }, (_, row) => row % 6);

describe('ChunkTrainer', () => {
  it('steps in order with one thread, and alone where there is one chunk', () => {
    const { core, alone, lazy } = pair(1);
    const random = Random.seeded(2);
    for (const newTypes of [NEW_TYPES, [], []]) {
      const each = batch(random, newTypes);
      expect(core.train(each)).toEqual(alone.train(each));
      expect(core.due(DUE)).toEqual(alone.due(DUE));
    }
    expect(lazy.map(({ steps }) => steps)).toEqual([18]);
    const one = batchOf({ edges: [[6, 0, 7]], added: [] });
    expect(core.train(one)).toEqual(alone.train(one));
    expect(lazy.map(({ steps }) => steps)).toEqual([18]);
  });

  it('fills a lane again only when its step is through, counts its losses, and ends with none begun', () => {
    const { core, alone, lazy } = pair(3);
    const random = Random.seeded(2);
    const first = batch(random, NEW_TYPES);
    const report = core.train(first);
    const expected = alone.train(first);
    expect(report.step).toBe(6);
    expect([...report.edgesByRelation]).toEqual([...expected.edgesByRelation]);
    // A step on rows as they were before the chunk ahead: not the same loss, but near.
    for (let r = 0; r < 3; r++) expect(report.loss[r]! / expected.loss[r]!).toBeCloseTo(1, 1);
    expect(lazy.map(({ steps }) => steps)).toEqual([1, 1]);
    expect([...core.due(DUE).rows]).toEqual(Array.from({ length: 54 }, (_, i) => 6 + i));
  });

  it('breaks the trainer when a stepper fails', () => {
    const { core, lazy } = pair(3);
    core.train(batch(Random.seeded(1), NEW_TYPES));
    lazy[1]!.kernel.step = () => {
      throw new FatalError('thread', 'a training thread died');
    };
    expect(() => core.train(batch(Random.seeded(2)))).toThrow('a training thread died');
    expect(() => core.due(DUE)).toThrow('failed half-way (a training thread died)');
  });

  it('has its steppers stopped with the trainer', async () => {
    const { core, lazy } = pair(3);
    await core.stop();
    expect(lazy.map(({ stopped }) => stopped)).toEqual([true, true]);
  });
});
