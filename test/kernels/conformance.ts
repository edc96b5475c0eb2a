import { describe } from 'vitest';
import type { KernelName } from '../../src/model/kernel.ts';
import { chunks } from './conformance/chunks.ts';
import { extremes } from './conformance/extremes.ts';
import { foreign } from './conformance/foreign.ts';
import { masks } from './conformance/masks.ts';
import { scoring } from './conformance/scoring.ts';
import { updates } from './conformance/updates.ts';

/** What every kernel must do, checked by hand-worked numbers and by the loss as in the papers. */
export function kernelConformance(name: KernelName): void {
  describe(`${name} kernel`, () => {
    updates(name);
    masks(name);
    foreign(name);
    extremes(name);
    scoring(name);
    chunks(name);
  });
}
