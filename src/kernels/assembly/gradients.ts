import {
  gradientAddresses, gradientRows, gradients, slotMask, slotNumbers, slotRows, vectorBytes, blockRowBytes,
} from './layout';
import { addTo, storePair } from './vector';

/**
 * The gradients of a step, summed by table row. `gradientRows` has the row of the nth sum, `gradientAddresses` its
 * address. A hash table with open addressing finds n by row: `slotRows` holds row + 1, or 0 where free.
 *
 * The sum of a row is the memory of its first gradient; later gradients are added there. Most rows of a chunk come once,
 * and cost no copy.
 */
export let count: i32 = 0;

/** The number of rows that were found to be foreign in the update. */
export let foreign: i32 = 0;

/** Used rows of `gradients`. */
let fresh: usize = 0;

/** Forgets the last step. */
export function clearGradients(): void {
  count = 0;
  foreign = 0;
  fresh = 0;
  memory.fill(slotRows, 0, (slotMask + 1) << 2);
}

/** The address of the row's sum, which is zeros for a new row. */
export function gradientOf(row: i32): usize {
  const slot = slotOf(row);
  if (load<i32>(slotRows + slot) != 0) return addressIn(slot);
  const gradient = gradients + fresh * blockRowBytes;
  fresh++;
  const zero = f32x4.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 32) storePair(gradient + k, zero, zero);
  enter(slot, row, gradient);
  return gradient;
}

/** Adds a gradient to the row's sum. The first gradient of a row becomes the sum, in place. */
export function addGradient(row: i32, gradient: usize): void {
  const slot = slotOf(row);
  if (load<i32>(slotRows + slot) == 0) enter(slot, row, gradient);
  else addTo(addressIn(slot), gradient, vectorBytes);
}

/** Keeps a foreign row and its sum at the beginning of `gradientRows` and `gradientAddresses`, over rows that are already updated. */
export function keepForeign(row: i32, gradient: usize): void {
  store<i32>(gradientRows + (<usize>foreign << 2), row);
  store<usize>(gradientAddresses + (<usize>foreign << 2), gradient);
  foreign++;
}

/** The byte offset of the row's slot, or of the free slot that the row would take. */
function slotOf(row: i32): usize {
  let slot = (<usize>(<u32>row * 0x9e3779b1) >> 12) & slotMask;
  let found = load<i32>(slotRows + (slot << 2));
  while (found != 0 && found != row + 1) {
    slot = (slot + 1) & slotMask;
    found = load<i32>(slotRows + (slot << 2));
  }
  return slot << 2;
}

function addressIn(slot: usize): usize {
  return load<usize>(gradientAddresses + (<usize>load<i32>(slotNumbers + slot) << 2));
}

function enter(slot: usize, row: i32, gradient: usize): void {
  store<i32>(slotRows + slot, row + 1);
  store<i32>(slotNumbers + slot, count);
  store<i32>(gradientRows + (<usize>count << 2), row);
  store<usize>(gradientAddresses + (<usize>count << 2), gradient);
  count++;
}
