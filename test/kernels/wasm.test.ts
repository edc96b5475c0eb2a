import { kernelConformance } from './conformance.ts';

for (const build of ['wasm-plain', 'wasm-relaxed'] as const) kernelConformance(build);
