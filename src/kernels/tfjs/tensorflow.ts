import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';
import { FatalError, reasonOf, UsageError } from '../../errors.ts';

/** An array of TensorFlow's, float32. */
export interface Tensor {
  readonly shape: readonly number[];
  /** Its numbers, once they are computed, row-major. */
  dataSync(): Float32Array;
}

type Operand = Tensor | number;

/** The part of TensorFlow.js that is used here, as `@tensorflow/tfjs-node` and its GPU twin have it. */
export interface TensorFlow {
  /** Runs `work` and frees every tensor it made. It gives nothing: what it gave would be searched, number by number. */
  tidy(work: () => void): void;
  /** values: read at the tensor's first use, not before. */
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  add(a: Operand, b: Operand): Tensor;
  sub(a: Operand, b: Operand): Tensor;
  mul(a: Operand, b: Operand): Tensor;
  maximum(a: Operand, b: Operand): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  neg(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  exp(x: Tensor): Tensor;
  log(x: Tensor): Tensor;
  softplus(x: Tensor): Tensor;
  /** Of all its numbers. */
  min(x: Tensor): Tensor;
  max(x: Tensor, axis: number, keepDims: boolean): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  expandDims(x: Tensor, axis: number): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  split(x: Tensor, lengths: readonly number[], axis: number): readonly Tensor[];
  /** The value of `f` and the gradients of the sum of value · dy for each of f's tensors. */
  valueAndGrads(
    f: (...tensors: Tensor[]) => Tensor,
  ): (tensors: readonly Tensor[], dy: Tensor) => { value: Tensor; grads: readonly Tensor[] };
  memory(): { numTensors: number };
}

const FUNCTIONS = [
  ...['tidy', 'tensor', 'valueAndGrads', 'memory', 'add', 'sub', 'mul', 'maximum', 'matMul', 'neg', 'square'],
  ...['sqrt', 'exp', 'log', 'softplus', 'min', 'max', 'concat', 'expandDims', 'reshape', 'split'],
];

/** Whether a loaded package has every function that is used here. */
function isTensorFlow(found: unknown): found is TensorFlow {
  if (typeof found !== 'object' || found === null) return false;
  return FUNCTIONS.every((name) => typeof Reflect.get(found, name) === 'function');
}

/** The GPU twin first: who installed it wants it. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

export interface LoadedTensorFlow {
  readonly tensorFlow: TensorFlow;
  /** Package and version. */
  readonly description: string;
}

/**
 * TensorFlow.js as the first of `folders` finds it or, after them, this package itself. It is no dependency: who wants
 * it installs it. folders: absolute.
 * @throws UsageError where it is not installed, FatalError where it is and can't be used.
 */
export function loadTensorFlow(folders: readonly string[]): LoadedTensorFlow {
  for (const place of [...folders.map((folder) => join(folder, 'package.json')), import.meta.url]) {
    const require = createRequire(place);
    const name = PACKAGES.find((each) => isInstalled(each, require));
    if (name !== undefined) return loaded(name, require);
  }
  throw new UsageError(
    'tfjs-missing',
    'training.kernel is tfjs, and neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu is installed where ' +
      `${folders.join(' or ')} would find it: npm install @tensorflow/tfjs-node there, or set training.kernel to wasm, ` +
      'which needs nothing',
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
  // It calls these two: Node 23 and later lack the first and warn of the second.
  Object.assign(util, { isNullOrUndefined: (value: unknown) => value == null, isArray: Array.isArray });
  let found: unknown;
  let manifest: { version?: unknown };
  try {
    found = require(name);
    manifest = require(`${name}/package.json`);
  } catch (error) {
    throw unusable(name, error);
  }
  if (!isTensorFlow(found)) throw unusable(name, 'functions that the kernel is made of are not there');
  return { tensorFlow: found, description: `${name} ${manifest.version}` };
}

function unusable(name: string, cause: unknown): FatalError {
  const [reason] = reasonOf(cause).split('\n');
  return new FatalError(
    'tfjs-unusable',
    `${name} is installed and can't be used: ${reason?.trim()}; install it again, or set training.kernel to wasm`,
    { cause },
  );
}
