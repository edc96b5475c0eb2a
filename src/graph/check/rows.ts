import type { GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { ownerOfCopy } from '../shard.ts';
import type { Findings } from './findings.ts';

/** What a checkpoint has of its rows. Memory: three bytes a row. */
export interface CheckedRows {
  /** [rows] type index; 255: no entity. */
  readonly types: Uint8Array;
  /** [rows] the shard that a copy belongs to; 255: the row is no copy. */
  readonly owners: Uint8Array;
  /** [rows] 1: all numbers of the vector are zero. */
  readonly zero: Uint8Array;
}

/** In place of an owner. */
export const OWN = 255;

/** Checks every row of the checkpoint that the head names; undefined where there is none. @throws FatalError `store-damaged` where it can't be read. */
export async function checkRows(
  store: GraphStore,
  head: Head,
  findings: Findings,
  onProgress: (entries: number) => void,
): Promise<CheckedRows | undefined> {
  const { dim, relations } = store.layout;
  const checkpoint = await store.checkpoint();
  if (checkpoint === undefined) return undefined;
  const { commit, step } = checkpoint.head;
  const count = checkpoint.rows;
  if (commit > head.commit)
    findings.add('checkpoint-differs', `of commit ${commit}, the head of ${head.commit}`);
  if (step > head.step) findings.add('checkpoint-differs', `of step ${step}, the head of ${head.step}`);
  if (count > head.rows) findings.add('checkpoint-differs', `${count} rows, the head has ${head.rows}`);
  for (const { name } of relations.slice(Math.floor(count / 2)))
    findings.add('vector-missing', `relation ${name}`);
  const rows = { types: new Uint8Array(count), owners: new Uint8Array(count), zero: new Uint8Array(count) };
  let row = 0;
  for await (const { types, floats } of checkpoint.blocks()) {
    rows.types.set(types, row);
    for (let at = 0; at < floats.length; at += dim + 2) {
      const problem = problemIn(floats, at, dim, head.shard?.count ?? 0);
      if (problem !== undefined) findings.add('vector-damaged', `row ${row}: ${problem}`);
      const accumulator = floats[at + dim]!;
      rows.owners[row] = accumulator < 0 ? ownerOfCopy(accumulator) : OWN;
      rows.zero[row] = floats.subarray(at, at + dim).every((number) => number === 0) ? 1 : 0;
      row++;
      onProgress(1);
    }
  }
  return rows;
}

/** What is wrong with the row whose floats begin at `at`. The length of the vector is not checked: its limit is a setting that can change. */
function problemIn(floats: Float32Array, at: number, dim: number, shards: number): string | undefined {
  for (let i = 0; i < dim; i++)
    if (!Number.isFinite(floats[at + i])) return `number ${i} is ${floats[at + i]}`;
  const [accumulator, drift] = [floats[at + dim]!, floats[at + dim + 1]!];
  const owner = ownerOfCopy(accumulator);
  const isCopy = Number.isInteger(owner) && owner >= 0 && owner < shards;
  if (!Number.isFinite(accumulator) || (accumulator < 0 && !isCopy))
    return `the accumulator is ${accumulator}`;
  // Infinity: the vector was never published.
  return drift >= 0 ? undefined : `the drift is ${drift}`;
}
