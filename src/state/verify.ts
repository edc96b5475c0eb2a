import type { FatalError } from '../errors/errors.ts';
import { type CheckReport, checkStore } from '../graph/check/check.ts';
import { FINDINGS } from '../graph/check/findings.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { encodeHead, type Head } from '../graph/head.ts';

/** What was found in a store that is whole. */
export interface Verified extends CheckReport {
  readonly head: Head;
}

/**
 * Reads a store back that was written just now. wanted: the head that it was given. wrong: the error, by what is wrong.
 * @throws FatalError where the store is not whole, or has another head.
 */
export async function verifyStore(
  store: GraphStore | undefined,
  wanted: Head | undefined,
  wrong: (what: string) => FatalError,
  onProgress: (entries: number) => void,
): Promise<Verified> {
  if (store === undefined) throw wrong('nothing was written');
  const report = await checkStore(store, onProgress);
  const [first] = report.findings;
  if (first !== undefined)
    throw wrong(`${FINDINGS[first.kind]}, ${first.count} times, such as ${first.samples[0]}`);
  const { head } = report;
  if (head === undefined || wanted === undefined || !encodeHead(head).equals(encodeHead(wanted)))
    throw wrong('it has another head than was written');
  return { ...report, head };
}
