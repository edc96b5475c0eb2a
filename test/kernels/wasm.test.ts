import { kernelConformance } from './conformance.ts';

kernelConformance('wasm');
