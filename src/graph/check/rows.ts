import { differenceFrom } from '../checkpoint.ts';
import { typeOf } from '../entity.ts';
import type { EntityIndex } from '../entity-index.ts';
import type { GraphStore } from '../graph-store.ts';
import type { Head } from '../head.ts';
import { ownerOfCopy, shardOf } from '../shard.ts';
import type { Findings } from './findings.ts';

/**
 * Checks every row of the checkpoint that the head names. Where that is of the last commit, each goes with its entity: an older one may have
 * another entity there. @throws FatalError `store-damaged` where it can't be read.
 */
export async function checkRows(
  store: GraphStore,
  head: Head,
  index: EntityIndex,
  findings: Findings,
  onProgress: (entries: number) => void,
): Promise<void> {
  const { dim, relations, entityTypes } = store.layout;
  const checkpoint = await store.checkpoint();
  if (checkpoint === undefined) return;
  const { commit, step } = checkpoint.head;
  const count = checkpoint.rows;
  if (commit > head.commit)
    findings.add('checkpoint-differs', `of commit ${commit}, the head of ${head.commit}`);
  if (step > head.step) findings.add('checkpoint-differs', `of step ${step}, the head of ${head.step}`);
  const differing = head.checkpoint === head.commit && differenceFrom(head, checkpoint.head);
  if (differing) findings.add('checkpoint-differs', differing);
  if (count > head.rows) findings.add('checkpoint-differs', `${count} rows, the head has ${head.rows}`);
  for (const { name } of relations.slice(Math.floor(count / 2)))
    findings.add('vector-missing', `relation ${name}`);
  const keyAt = (row: number) => (head.checkpoint === head.commit ? index.keyAt(row) : undefined);
  let row = 0;
  for await (const { types, floats } of checkpoint.blocks()) {
    for (let at = 0, i = 0; i < types.length; i++, row++, at += dim + 2) {
      onProgress(1);
      const problem = problemIn(floats, at, dim, head.shard?.count ?? 0);
      if (problem !== undefined) findings.add('vector-damaged', `row ${row}: ${problem}`);
      const key = keyAt(row);
      if (key === undefined) continue;
      const accumulator = floats[at + dim]!;
      const isZero = floats.subarray(at, at + dim).every((number) => number === 0);
      // The vector of a copy may still have to come.
      const owner = head.shard && shardOf(key, head.shard.count);
      const other = owner === head.shard?.index ? undefined : owner;
      const held = accumulator < 0 ? ownerOfCopy(accumulator) : undefined;
      const type = entityTypes[types[i]!];
      if (other === undefined && isZero && index.state(row).updates > 0) findings.add('vector-missing', key);
      if (held !== other)
        findings.add(
          'checkpoint-differs',
          `${key} on row ${row}, ${held === undefined ? 'no copy' : `a copy of shard ${held}'s`}`,
        );
      else if (other === undefined && type !== typeOf(key))
        findings.add('checkpoint-differs', `${key} on row ${row}, of ${type ?? 'no type'}`);
    }
  }
  for (; row < index.nextRow; row++) {
    const key = keyAt(row);
    if (key !== undefined && index.state(row).updates > 0) findings.add('vector-missing', key);
  }
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
