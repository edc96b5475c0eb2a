import { existsSync } from 'node:fs';
import { kernelOf } from '../src/compose/wide.ts';
import { PRESETS } from '../src/config/presets.ts';
import { UsageError } from '../src/errors/errors.ts';
import type { KernelName } from '../src/model/kernel.ts';
import { defineBench, ROOT } from './harness.ts';
import { peak } from './kernel/peak.ts';
import { type Contender, kernelOn, type Workload } from './kernel/workload.ts';

const BUILDS: readonly KernelName[] = ['wasm-relaxed', 'wasm-plain'];

/** The turn before the rounds is longer by this: by its end V8 has replaced its first, slow code. */
const WARM_UP = 4;

const RATE = 'k edges/s of CPU';
const FLOPS = 'GFLOP/s';
const SHARE = 'of the peak, %';

/**
 * Edges a second of one training step in one thread. Ids by Zipf's law, own positives masked, chunks made beforehand. Shape 1 is the
 * paper's model: twhin, logistic, chunks of 128 edges, 64 in-batch and 64 uniform negatives a side. Shape 2 is the default recipe:
 * transe-l2, softmax, unit ball, chunks of 64, 64 in-batch and 192 uniform. GFLOP/s: 12 · K · d operations an edge. The peak is a loop
 * of 128-bit fused multiply-adds and nothing else, in the same round.
 */
export const kernel = defineBench({
  name: 'kernel',
  what: 'edges a second of one training step in one thread, beside the peak of the machine and other libraries',
  docs: 'performance.md#the-training-step',
  measures: ['src/kernels', 'src/model'],
  sizes: {
    full: { rows: 1_000_000, ms: 300, variations: true },
    smoke: { rows: 5_000, ms: 10, variations: false },
  },
  without: ['set'],
  columns: [RATE, FLOPS, SHARE],
  async measure(here) {
    const { rows, ms, variations } = here.size;
    if (rows < 1_000) throw new UsageError(`--rows: expected 1000 at least; seen ${rows}`);
    const shape1: Workload = {
      ...{ dim: 128, scorer: 'twhin', loss: 'logistic', unitBall: false, rows },
      ...{ edges: 128, inBatch: 64, uniform: 64 },
    };
    const shape2: Workload = {
      ...{ dim: 128, scorer: 'transe-l2', loss: 'softmax', unitBall: true, rows },
      ...{ edges: 64, inBatch: 64, uniform: 192 },
    };
    const shaped = (dim: number, negatives: number): Workload => {
      const inBatch = Math.min(shape1.edges, negatives / 2);
      return { ...shape1, dim, inBatch, uniform: negatives - inBatch };
    };
    // Each narrow build is compiled before V8 packs vectors, and has a wide form where that wins the race.
    const model = { ...PRESETS.measured.model, dim: shape2.dim };
    const forms = BUILDS.map((kernel) => kernelOf({ kernel, wide: 'auto', model }).kernel);
    const kernels = [...new Set([...forms, ...BUILDS])];
    const [fastest = 'wasm-plain'] = kernels;
    const both = (name: string, workload: Workload) =>
      kernels.map((build) => kernelOn(build, workload, `${name}, ${build}`));
    const groups: (() => Contender[])[] = [
      () => [
        ...both('shape 1', shape1),
        kernelOn(fastest, { ...shape1, rows: 8 * rows }, 'shape 1, eight times the rows'),
        ...both('shape 2', shape2),
        ...tfjs('shape 1', shape1),
        ...tfjs('shape 2', shape2),
      ],
    ];
    if (variations) {
      const one = (name: string, workload: Workload) => groups.push(() => both(name, workload));
      one('shape 1, d = 64', shaped(64, 128));
      one('shape 1, d = 256', shaped(256, 128));
      one('shape 1, 32 negatives', shaped(128, 32));
      one('shape 1, 512 negatives', shaped(128, 512));
      one('shape 2, transe-l1', { ...shape2, scorer: 'transe-l1' });
      one('shape 2, transe-l2-squared', { ...shape2, scorer: 'transe-l2-squared' });
      // The oracle, on few rows: it is slow wherever they lie.
      groups.push(() => [
        kernelOn('reference', { ...shape1, rows: rows / 10 }, 'shape 1, reference'),
        kernelOn('reference', { ...shape2, rows: rows / 10 }, 'shape 2, reference'),
      ]);
    }
    for (const group of groups) {
      const contenders = [peak(), ...group()];
      let top = Number.NaN;
      const turn = (each: Contender) => {
        const rate = each.measure(ms);
        const gflops = (rate * each.operations) / 1e6;
        if (each.name === 'peak') top = gflops;
        return {
          [RATE]: each.name === 'peak' ? Number.NaN : rate,
          [FLOPS]: gflops,
          [SHARE]: (100 * gflops) / top,
        };
      };
      for (const each of contenders) each.measure(WARM_UP * ms);
      await here.turns(Object.fromEntries(contenders.map((each) => [each.name, () => turn(each)])));
    }
  },
});

/** The kernel on TensorFlow.js, on one thread, where test/kernels/tfjs/install.sh has installed it. */
function tfjs(name: string, workload: Workload): Contender[] {
  const folder = `${ROOT}/.twhin/tfjs`;
  if (!existsSync(`${folder}/built-from`)) return [];
  // TensorFlow reads both when it is loaded. The second stops its lines about the machine's instructions.
  Object.assign(process.env, { TF_NUM_INTRAOP_THREADS: '1', TF_CPP_MIN_LOG_LEVEL: '2' });
  return [kernelOn('tfjs', workload, `${name}, tfjs`, [folder])];
}
