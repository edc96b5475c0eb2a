/** Edges that the first part has room for; each further part has room for twice as many. */
const FIRST_EDGES = 1 << 16;
/** A block has a number for each factor, and as many edges as two bytes each make of it. */
const EDGES_OF_BLOCK = 16;
const FACTORS = Int32Array.of(
  ...[0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31],
);

/**
 * Tells of nearly every edge that the store does not know that it is new, so that the store is asked for few of them. Two
 * bytes an edge; edges are never taken out.
 * Source: the split block Bloom filter of the Parquet format, which touches one line of the cache for each part.
 */
export class EdgeFilter {
  /** Whether all edges of the store were added. Until then none is surely new. */
  complete: boolean;
  readonly #parts: Int32Array[] = [];
  /** Edges that the newest part has room for, now and in all. */
  #room = 0;
  #size = FIRST_EDGES / 2;

  constructor(complete = false) {
    this.complete = complete;
  }

  /** Adds an edge, see `Layout.edgeId`. True where the edge is surely new: never added, with every edge of the store added. */
  add(id: string): boolean {
    const hash = hashOf(id);
    for (const part of this.#parts) if (marked(part, hash)) return false;
    if (this.#room === 0) {
      this.#size *= 2;
      this.#room = this.#size;
      this.#parts.unshift(new Int32Array((this.#size / EDGES_OF_BLOCK) * FACTORS.length));
    }
    this.#room--;
    marked(this.#parts[0]!, hash, true);
    return this.complete;
  }
}

/** Whether a part has every bit of the hash, or has now. */
function marked(part: Int32Array, hash: number, mark = false): boolean {
  const block = (hash * FACTORS.length) & (part.length - 1);
  for (let i = 0; i < FACTORS.length; i++) {
    const bit = 1 << (Math.imul(hash, FACTORS[i]!) >>> 27);
    if (mark) part[block + i]! |= bit;
    else if ((part[block + i]! & bit) === 0) return false;
  }
  return true;
}

/** FNV-1a, then mixed, since the low bits choose the block. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
