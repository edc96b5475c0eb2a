import {
  gradientAddresses, gradientRows, gradients, slotMask, slotNumbers, slotRows, vectorBytes, blockRowBytes,
} from './layout';
import { addTo } from './vector';

/**
 * Gradients of the step, summed by table row: the nth has its row in `gradientRows` and the address of its sum in
 * `gradientAddresses`. An open-addressing hash table finds the n of a row: `slotRows` holds row + 1, 0 where free.
 *
 * A row's first gradient is where it was computed, and what comes later is added to it there: most rows of a chunk
 * come once.
 */
export let count: i32 = 0;

/** Rows of `gradients` that are used. */
let fresh: usize = 0;

/** Forgets the last step. */
export function clearGradients(): void {
  count = 0;
  fresh = 0;
  memory.fill(slotRows, 0, (slotMask + 1) << 2);
}

/** Address of the row's summed gradient; of zeros when it is new. */
export function gradientOf(row: i32): usize {
  const slot = slotOf(row);
  if (load<i32>(slotRows + slot) != 0) return addressIn(slot);
  const gradient = gradients + fresh * blockRowBytes;
  fresh++;
  for (let k: usize = 0; k < vectorBytes; k += 16) v128.store(gradient + k, f32x4.splat(0));
  enter(slot, row, gradient);
  return gradient;
}

/** Adds a gradient to the row's. It stays where it is when it is the first, and then others are added to it. */
export function addGradient(row: i32, gradient: usize): void {
  const slot = slotOf(row);
  if (load<i32>(slotRows + slot) == 0) enter(slot, row, gradient);
  else addTo(addressIn(slot), gradient, vectorBytes);
}

/** Bytes from the table's start to the row's slot, or to the free one that it would take. */
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
