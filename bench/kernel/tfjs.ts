import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './contender.ts';
import { kernelOn, type Workload } from './workload.ts';

/** Where test/kernels/tfjs/install.sh puts TensorFlow.js. */
const FOLDER = join(import.meta.dirname, '..', '..', '.twhin', 'tfjs');

/** What to do to have TensorFlow.js measured as well; undefined where it can be. */
export function missingTfjs(): string | undefined {
  return existsSync(join(FOLDER, 'built-from'))
    ? undefined
    : 'TensorFlow.js is not installed, and not measured: bash test/kernels/tfjs/install.sh';
}

/** The kernel on TensorFlow.js, which is kept to the calling thread as the others are. */
export function tfjsOn(workload: Workload, name: string): Contender {
  // Read when it is loaded. The second has it keep quiet about the machine's instructions.
  Object.assign(process.env, { TF_NUM_INTRAOP_THREADS: '1', TF_CPP_MIN_LOG_LEVEL: '2' });
  return kernelOn('tfjs', workload, name, [FOLDER]);
}
