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
export function isTensorFlow(found: unknown): found is TensorFlow {
  if (typeof found !== 'object' || found === null) return false;
  return FUNCTIONS.every((name) => typeof Reflect.get(found, name) === 'function');
}
