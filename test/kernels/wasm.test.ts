import { describe } from 'vitest';
import { simdLevel } from '../../src/kernels/select.ts';
import { kernelConformance } from './conformance.ts';

kernelConformance('wasm-plain');
describe.runIf(simdLevel() === 'relaxed')('where there is relaxed SIMD', () =>
  kernelConformance('wasm-relaxed'),
);
