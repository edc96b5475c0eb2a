import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The folder where install.sh puts TensorFlow.js. */
export const TFJS_FOLDER = join(import.meta.dirname, '..', '..', '..', '.twhin', 'tfjs');

/** Tests of the tfjs kernel are skipped where TensorFlow.js is not installed; with CI=true they fail instead. */
export const TFJS_SKIPPED = !existsSync(join(TFJS_FOLDER, 'built-from')) && process.env['CI'] !== 'true';
if (TFJS_SKIPPED) {
  console.warn('skipped: no @tensorflow/tfjs-node is here; test/kernels/tfjs/install.sh puts it there');
}

// Keeps TensorFlow from printing the machine's instruction sets on stderr when it is loaded.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
