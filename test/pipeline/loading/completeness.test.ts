import { beforeEach, describe, expect, test } from 'vitest';
import { FatalError } from '../../../src/errors/errors.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { LaterCheck } from '../../../src/pipeline/loading/completeness.ts';
import { portWith } from '../../fixtures/port.ts';
import { filled, HEAD_OF_FILLED, put } from '../../graph/check/check-fixture.ts';
import { edgesIn, user } from '../../graph/graph-fixture.ts';

let store: GraphStore;
let failures: Error[];
beforeEach(async () => {
  store = await filled();
  failures = [];
});

const check = (of = store, head = HEAD_OF_FILLED) =>
  new LaterCheck(of, head, (error) => failures.push(error));
/** The same store, whose scans read through this. */
const reading = (runs: GraphStore['entries']['runs']) =>
  new GraphStore(portWith(store.entries, { runs }), store.layout);
const writeEdge = async (state: { at: number; removed: boolean } | null) => {
  const batch = new WriteBatch();
  const edge = { lhs: user('a'), relation: 'follows', rhs: user('b') };
  store.layout.putEdge(batch, store.layout.edgeId(edge), state);
  await store.entries.write(batch);
};

describe('a later check', () => {
  test('finds nothing wrong with a whole store, and lost edges in another', async () => {
    const whole = check();
    const ids = (await edgesIn(store)).map((edge) => store.layout.edgeId(edge));
    expect(whole.stored.add('another')).toBe(false);
    await whole.done;
    expect([...ids, 'new'].map((id) => whole.stored.add(id))).toEqual([...ids.map(() => false), true]);
    expect(failures).toEqual([]);
    await writeEdge(null);
    await check().done;
    expect(failures.map(({ message }) => message)).toEqual([
      expect.stringContaining('it holds 1 live edges (follows), and its head counts 2'),
    ]);
  });

  test('finds lost and damaged reverse entries once all edges are known', async () => {
    const lost = new FatalError('store-read', "the store can't be read");
    const { prefixes } = store.layout;
    const damaged = reading(async function* (prefix) {
      if (prefix[0] === prefixes.reverse[0]) throw lost;
      yield* store.entries.runs(prefix);
    });
    await put(store, 'i00006200000061', undefined);
    for (const each of [store, damaged]) {
      const later = check(each);
      await later.done;
      expect(later.stored.complete).toBe(true);
    }
    const message = expect.stringContaining('it holds 3 reverse entries of 4 edges; make the store again');
    expect(failures).toEqual([expect.objectContaining({ code: 'store-damaged', message }), lost]);
  });

  test('tells of a scan that fails, at its start and later, and has begun all the same', async () => {
    const lost = new FatalError('store-read', "the store can't be read");
    const failing = (after: number) =>
      reading(async function* (prefix) {
        let left = after;
        for await (const run of store.entries.runs(prefix)) {
          if (left-- === 0) throw lost;
          yield run;
        }
        throw lost;
      });
    for (const after of [0, 1]) {
      const later = check(failing(after));
      await later.begun;
      await later.done;
    }
    expect(failures).toEqual([lost, lost]);
  });

  test('ends when it is stopped, closes its scan, and tells of nothing', async () => {
    let closed = false;
    const endless = reading(async function* (prefix) {
      try {
        for (;;) yield* store.entries.runs(prefix);
      } finally {
        closed = true;
      }
    });
    const later = check(endless);
    await later.begun;
    await later.stop();
    await later.stop();
    expect([closed, failures, later.stored.complete]).toEqual([true, [], false]);
  });
});
