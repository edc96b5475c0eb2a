/** Entries handled before the event loop gets its turn. */
const SLICE = 2048;
/**
 * Whether the event loop is to have its turn after entry `i` of a loop. The body of a loop over many entries stands in the loop: V8 drops
 * the optimised code of a function that nothing holds with each major collection, and compiles it again.
 */
export function endsSlice(i: number): boolean {
  return (i + 1) % SLICE === 0;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
