import { describe } from 'vitest';
import { simdLevel } from '../../src/kernels/select.ts';
import { kernelConformance } from './conformance.ts';

kernelConformance('wasm-plain');
describe.runIf(simdLevel() === 'relaxed')('on a machine with relaxed SIMD', () =>
  kernelConformance('wasm-relaxed'),
);
