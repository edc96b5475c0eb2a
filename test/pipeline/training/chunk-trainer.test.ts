import { describe, expect, it } from 'vitest';
import { FatalError } from '../../../src/errors/errors.ts';
import type { Kernel } from '../../../src/model/kernel.ts';
import type { Lane, Stepper } from '../../../src/pipeline/training/stepper.ts';
import type { TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { type KernelMaker, TrainerCore } from '../../../src/pipeline/training/trainer-core.ts';
import { Random } from '../../../src/sampling/random.ts';
import { batchOf, DUE, kernels, ofBatch, settings, World } from './trainer-fixture.ts';

/** A stepper in this thread, of a lane for each kernel, which steps when it is waited for. */
class Lazy implements Stepper {
  readonly kernels: readonly Kernel[];
  readonly #lanes: readonly Lane[];
  readonly #begun = new Set<Lane>();
  steps = 0;
  stopped = false;

  constructor(kernels: readonly Kernel[]) {
    this.kernels = kernels;
    this.#lanes = kernels.map((kernel) => {
      const lane: Lane = {
        chunk: kernel.chunk,
        losses: kernel.losses,
        begin: () => void this.#begun.add(lane),
        finish: () => {
          this.#begun.delete(lane);
          this.steps++;
          kernel.step();
        },
      };
      return lane;
    });
  }

  take(): Lane | undefined {
    return this.#lanes.find((lane) => !this.#begun.has(lane));
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** A trainer of so many threads with lazy steppers, and one that has none. Relation r joins users and tweets of its own. */
function pair(count: number, others?: TrainerSettings) {
  const lanes = others ? [1, 2] : [1];
  const lazy: Lazy[] = [];
  const maker: KernelMaker = {
    ...kernels,
    startSteppers: (name, table, model, { threads, ...limits }) => {
      for (let i = 0; i < Math.max(1, threads - 1); i++)
        lazy.push(new Lazy(lanes.map(() => kernels.createKernel(name, table, model, limits))));
      return lazy;
    },
  };
  const chosen = others ?? {
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
      expect(ofBatch(core.train(each))).toEqual(ofBatch(alone.train(each)));
      expect(core.due(DUE)).toEqual(alone.due(DUE));
    }
    expect(lazy.map(({ steps }) => steps)).toEqual([18]);
    const one = batchOf({ edges: [[6, 0, 7]], added: [] });
    expect(ofBatch(core.train(one))).toEqual(ofBatch(alone.train(one)));
    expect(lazy.map(({ steps }) => steps)).toEqual([18]);
  });

  it.each(
    ['train', 'due', 'vectors', 'slice', 'gave'].flatMap((asked) =>
      [settings.evaluatedEdges, 0].map((evaluatedEdges) => ({ asked, evaluatedEdges })),
    ),
  )(
    'gives the bytes of steps that were done at once, where $asked comes while the last is under way ($evaluatedEdges ranked)',
    ({ asked, evaluatedEdges }) => {
      const { core, alone } = pair(1, { ...settings, evaluatedEdges });
      const world = new World(8);
      const rows = Int32Array.from({ length: 18 }, (_, row) => row);
      for (let i = 0; i < 40; i++) {
        // One batch in five is a single chunk, which is stepped in the calling thread.
        const user = world.types.indexOf(0);
        const one = () => batchOf({ edges: [[user, 0, world.types.indexOf(0, user + 1)]], added: [] });
        const batch = i % 5 === 3 ? one() : world.next(i % 4 > 0);
        expect(ofBatch(core.train(batch))).toEqual(ofBatch(alone.train(batch)));
        world.commit();
        if (i % 3 > 0 && asked !== 'slice') continue;
        const answers = [core, alone].map((each) => {
          if (asked === 'slice' && i % 6 > 0) return each.slice();
          if (asked === 'vectors') return each.vectors(rows);
          if (asked === 'gave') return each.gave({ rows, isAcknowledged: true });
          if (asked === 'train') return undefined;
          const due = each.due({ ...DUE, now: DUE.now + i });
          if (asked === 'slice') each.snapshot(20);
          return due;
        });
        expect(answers[0]).toEqual(answers[1]);
      }
      expect(core.due(DUE)).toEqual(alone.due(DUE));
      for (const each of [core, alone]) each.snapshot();
      expect(core.slice()).toEqual(alone.slice());
    },
  );

  it('fills a lane again only when its step is through, and counts the losses of each once', () => {
    const { core, alone, lazy } = pair(3);
    const random = Random.seeded(2);
    const first = batch(random, NEW_TYPES);
    const begun = core.train(first);
    const expected = alone.train(first);
    expect(begun.step).toBe(6);
    expect(lazy.map(({ steps }) => steps)).toEqual([0, 0]);
    core.state();
    expect(lazy.map(({ steps }) => steps)).toEqual([1, 1]);
    const rest = core.train(batchOf({}));
    const [loss, edges] = (['loss', 'edgesByRelation'] as const).map((name) =>
      Array.from(begun[name], (sum, r) => sum + rest[name][r]!),
    );
    const report = { loss: loss!, edgesByRelation: edges! };
    expect(report.edgesByRelation).toEqual([...expected.edgesByRelation]);
    // A step on rows as they were before the chunk ahead: not the same loss, but near.
    for (let r = 0; r < 3; r++) expect(report.loss[r]! / expected.loss[r]!).toBeCloseTo(1, 1);
    expect([...core.due(DUE).rows]).toEqual(Array.from({ length: 54 }, (_, i) => 6 + i));
  });

  it('breaks the trainer when a stepper fails', () => {
    const { core, lazy } = pair(3);
    core.train(batch(Random.seeded(1), NEW_TYPES));
    lazy[1]!.kernels[0]!.step = () => {
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
