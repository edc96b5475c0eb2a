import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';
import { FatalError, reasonOf, UsageError } from '../../errors/errors.ts';

/** An array of TensorFlow.js, float32. */
export interface Tensor {
  readonly shape: readonly number[];
  /** The numbers, row-major. Waits until they are computed. */
  dataSync(): Float32Array;
}

type Operand = Tensor | number;

/** The functions of `@tensorflow/tfjs-node` and `@tensorflow/tfjs-node-gpu` that the kernel uses. */
export interface TensorFlow {
  /** Runs `work` and frees every tensor made in it. `work` returns nothing: tidy would search a result for tensors. */
  tidy(work: () => void): void;
  /** values: not read before the first use of the tensor. */
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  add(a: Operand, b: Operand): Tensor;
  sub(a: Operand, b: Operand): Tensor;
  mul(a: Operand, b: Operand): Tensor;
  maximum(a: Operand, b: Operand): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  square(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  exp(x: Tensor): Tensor;
  log(x: Tensor): Tensor;
  softplus(x: Tensor): Tensor;
  sum(x: Tensor, axis: number, keepDims: boolean): Tensor;
  max(x: Tensor, axis: number, keepDims: boolean): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  expandDims(x: Tensor, axis: number): Tensor;
  /** The value of `f`, and the gradient of Σ value · dy for each tensor given to `f`. */
  valueAndGrads(
    f: (...tensors: Tensor[]) => Tensor,
  ): (tensors: readonly Tensor[], dy: Tensor) => { value: Tensor; grads: readonly Tensor[] };
  memory(): { numTensors: number };
}

const FUNCTIONS =
  'tidy tensor valueAndGrads memory add sub mul maximum matMul square sqrt exp log softplus sum max concat expandDims'.split(
    ' ',
  );

/** Whether a loaded package has every function in {@link TensorFlow}. */
function isTensorFlow(found: unknown): found is TensorFlow {
  if (typeof found !== 'object' || found === null) return false;
  return FUNCTIONS.every((name) => typeof Reflect.get(found, name) === 'function');
}

/** The GPU package first: whoever installed it wants to use it. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

export interface LoadedTensorFlow {
  readonly tensorFlow: TensorFlow;
  /** The package and its version. */
  readonly description: string;
}

/**
 * Loads TensorFlow.js as seen from the first of `folders` (absolute) that has it, else from this package. TensorFlow.js is
 * not a dependency: users who want it install it.
 * @throws UsageError where it is not installed, FatalError where it is installed and can't be used.
 */
export function loadTensorFlow(folders: readonly string[]): LoadedTensorFlow {
  for (const place of [...folders.map((folder) => join(folder, 'package.json')), import.meta.url]) {
    const require = createRequire(place);
    const name = PACKAGES.find((each) => isInstalled(each, require));
    if (name !== undefined) return loaded(name, require);
  }
  throw new UsageError(
    `training.kernel is tfjs, but ${folders.join(' or ')} has neither @tensorflow/tfjs-node nor ` +
      '@tensorflow/tfjs-node-gpu installed: npm install @tensorflow/tfjs-node there, or set training.kernel to wasm, ' +
      'which needs no installation',
  );
}

function isInstalled(name: string, require: NodeJS.Require): boolean {
  try {
    require.resolve(name);
    return true;
  } catch (error) {
    if (util.types.isNativeError(error) && 'code' in error && error.code === 'MODULE_NOT_FOUND') return false;
    throw unusable(name, error);
  }
}

function loaded(name: string, require: NodeJS.Require): LoadedTensorFlow {
  // TensorFlow.js calls these two functions; Node 23 and later lack the first and warn about the second.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray });
  let found: unknown;
  let manifest: { version?: unknown };
  try {
    found = require(name);
    manifest = require(`${name}/package.json`);
  } catch (error) {
    throw unusable(name, error);
  }
  if (!isTensorFlow(found)) throw unusable(name, 'it lacks functions that the kernel needs');
  return { tensorFlow: found, description: `${name} ${manifest.version}` };
}

function unusable(name: string, cause: unknown): FatalError {
  const [reason] = reasonOf(cause).split('\n');
  return new FatalError(
    'kernel',
    `${name} is installed, but can't be used: ${reason?.trim()}; install it again, or set training.kernel to wasm`,
    { cause },
  );
}
