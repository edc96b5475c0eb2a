import { simdLevel } from '../../src/kernels/select.ts';
import type { KernelName } from '../../src/model/kernel.ts';
import type { Contender } from './contender.ts';
import { missingTfjs, tfjsOn } from './tfjs.ts';
import { missingTorch, torchOn } from './torch.ts';
import { kernelOn, type Workload } from './workload.ts';

/** Two builds where there is relaxed SIMD, else one. */
export const BUILDS: readonly KernelName[] =
  simdLevel() === 'relaxed' ? ['wasm-relaxed', 'wasm-plain'] : ['wasm-plain'];

const MILLION = 1_000_000;

/** The paper's model: chunks of 128, half of the negatives in-batch. */
export const SHAPE_1: Workload = {
  ...{ dim: 128, scorer: 'twhin', loss: 'logistic', unitBall: false, rows: MILLION },
  ...{ edges: 128, inBatch: 64, uniform: 64 },
};

/** The default recipe. */
export const SHAPE_2: Workload = {
  ...{ dim: 128, scorer: 'transe-l2', loss: 'softmax', unitBall: true, rows: MILLION },
  ...{ edges: 64, inBatch: 64, uniform: 192 },
};

const LARGE: Workload = { ...SHAPE_1, rows: 8 * MILLION };

/** Those that are compared with one another, in one go. */
export async function mainGroup(): Promise<{ contenders: Contender[]; notes: string[] }> {
  const missing = missingTorch();
  const peers =
    missing === undefined
      ? [await torchOn(SHAPE_1, 'shape 1, PyTorch'), await torchOn(SHAPE_2, 'shape 2, PyTorch')]
      : [];
  const missingToo = missingTfjs();
  const tfjs =
    missingToo === undefined ? [tfjsOn(SHAPE_1, 'shape 1, tfjs'), tfjsOn(SHAPE_2, 'shape 2, tfjs')] : [];
  const [fastest = 'wasm-plain'] = BUILDS;
  return {
    contenders: [
      ...BUILDS.map((build) => kernelOn(build, SHAPE_1, `shape 1, ${build}`)),
      kernelOn(fastest, LARGE, 'shape 1, 8 million rows'),
      ...BUILDS.map((build) => kernelOn(build, SHAPE_2, `shape 2, ${build}`)),
      ...tfjs,
      ...peers,
    ],
    notes: [
      ...peers.slice(0, 1).map(({ version }) => version),
      ...[missing, missingToo].filter((each) => each !== undefined),
    ],
  };
}

function shape1(dim: number, negatives: number): Workload {
  const inBatch = Math.min(SHAPE_1.edges, negatives / 2);
  return { ...SHAPE_1, dim, inBatch, uniform: negatives - inBatch };
}

/** One thing changed at a time; a line of the second table each. */
export const VARIATIONS: readonly (readonly [string, Workload])[] = [
  ['shape 1, d = 64', shape1(64, 128)],
  ['shape 1, d = 256', shape1(256, 128)],
  ['shape 1, 32 negatives', shape1(128, 32)],
  ['shape 1, 512 negatives', shape1(128, 512)],
  ['shape 1, loss margin', { ...SHAPE_1, loss: 'margin' }],
  ['shape 2, transe-l1', { ...SHAPE_2, scorer: 'transe-l1' }],
  ['shape 2, transe-l2-squared', { ...SHAPE_2, scorer: 'transe-l2-squared' }],
  ['shape 2, twhin', { ...SHAPE_2, scorer: 'twhin' }],
];

export function variation(workload: Workload): Contender[] {
  return BUILDS.map((build) => kernelOn(build, workload));
}

/** The oracle, on few rows: it is slow wherever they lie. */
export function referenceGroup(): Contender[] {
  return [
    kernelOn('reference', { ...SHAPE_1, rows: 100_000 }, 'shape 1, reference'),
    kernelOn('reference', { ...SHAPE_2, rows: 100_000 }, 'shape 2, reference'),
  ];
}
