import { HOLDING, type HolderNews } from './trainer.ts';

/** More than there are shards: row and shard are one number. */
const SHARDS = 256;

/** What other shards said of their copies of own rows since the last batch, the last of each. */
export class OpenHolders {
  /** By row and shard, as one number. */
  readonly #said = new Map<number, number>();

  get size(): number {
    return this.#said.size;
  }

  hold(row: number, shard: number, holding: keyof typeof HOLDING): void {
    const id = row * SHARDS + shard;
    const before = this.#said.get(id);
    // A copy that was asked for is to get its vector, whatever was sent of it before.
    if (before === HOLDING.wanted && holding !== 'released') return;
    if (before === HOLDING.named && holding === 'used') return;
    // A copy that is made again after the last one went has no vector.
    const isNew = before === HOLDING.released && holding === 'named';
    this.#said.set(id, HOLDING[isNew ? 'wanted' : holding]);
  }

  /** The row's entity was erased. */
  forget(row: number): void {
    for (const id of this.#said.keys()) if (Math.floor(id / SHARDS) === row) this.#said.delete(id);
  }

  close(): HolderNews {
    const ids = [...this.#said.keys()];
    return {
      rows: Int32Array.from(ids, (id) => Math.floor(id / SHARDS)),
      shards: Uint8Array.from(ids, (id) => id % SHARDS),
      holding: Uint8Array.from(this.#said.values()),
    };
  }
}
