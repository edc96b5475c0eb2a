import {
  vectorBytes, blockRowBytes, gradientRows, gradients, slotMask, slotNumbers, slotRows,
} from './layout';
import { addTo } from './vector';

/**
 * Gradients of the step, summed by table row: slot s has its sum in `gradients` and its row in `gradientRows`.
 * An open-addressing hash table finds the slot of a row: `slotRows` holds row + 1, 0 where free.
 */
export let slots: i32 = 0;

/** Forgets the last step. */
export function clearGradients(): void {
  slots = 0;
  memory.fill(slotRows, 0, (slotMask + 1) << 2);
}

/** Address of the row's summed gradient, zero when it is new. */
export function gradientOf(row: i32): usize {
  let slot = (<usize>(<u32>row * 0x9e3779b1) >> 12) & slotMask;
  for (;;) {
    const found = load<i32>(slotRows + (slot << 2));
    if (found == row + 1) {
      return gradients + <usize>load<i32>(slotNumbers + (slot << 2)) * blockRowBytes;
    }
    if (found == 0) break;
    slot = (slot + 1) & slotMask;
  }
  store<i32>(slotRows + (slot << 2), row + 1);
  store<i32>(slotNumbers + (slot << 2), slots);
  store<i32>(gradientRows + (<usize>slots << 2), row);
  const gradient = gradients + <usize>slots * blockRowBytes;
  memory.fill(gradient, 0, vectorBytes);
  slots++;
  return gradient;
}

/** Adds a vector of a block to the row's gradient. */
export function addGradient(row: i32, from: usize): void {
  addTo(gradientOf(row), from, vectorBytes);
}
