import { type EntityKey, entityKey } from '../src/graph/entity.ts';
import { Activity } from '../src/serve/activity.ts';
import { VectorTable } from '../src/serve/vector-table.ts';
import { defineBench } from './harness.ts';

const BYTES = 'bytes each';
/** Ids of ten digits, as those of accounts and posts are. */
const FIRST_ID = 1_000_000_000;
const FIRST_AT = Date.UTC(2026, 0, 1);
const LIKES = { name: 'likes', lhs: 'user', rhs: 'tweet' };

/** What a process that serves keeps in memory. Vectors are in memory of WebAssembly, names and edges in flat arrays beside Node's heap. */
export const servedMemory = defineBench({
  name: 'served-memory',
  what: 'bytes of a served vector, name and edge; needs node --expose-gc',
  docs: 'serve.md#memory',
  measures: ['src/serve'],
  sizes: {
    full: { rows: 1_000_000, dim: 128, edges: 10_000_000, ofOne: 10, targets: 1_000_000 },
    smoke: { rows: 2_000, dim: 16, edges: 4_000, ofOne: 4, targets: 1_000 },
  },
  without: ['rounds', 'set'],
  columns: [BYTES],
  async measure(here) {
    const { rows, dim, edges, ofOne, targets } = here.size;
    const table = new VectorTable('tweet', dim, rows);
    const vector = new Float32Array(dim).fill(0.1);
    const names = bytesOf(() => {
      for (let row = 0; row < rows; row++) table.set(entity('tweet', row), vector);
    });
    const activity = bytesOf(() => {
      const made = new Activity({
        relations: [LIKES],
        edgesOfOne: ofOne,
        edges,
        sourcesOf: [],
        clock: () => 0,
      });
      for (let i = 0; i < edges; i++) {
        const user = Math.floor(i / ofOne);
        // The edges of a user lead to different tweets.
        const tweet = (7_919 * user + 104_729 * (i % ofOne)) % targets;
        const [lhs, rhs] = [entity('user', user), entity('tweet', tweet)];
        made.take({ lhs, relation: LIKES.name, rhs, at: FIRST_AT + i, removed: false });
      }
      return made;
    });
    here.record(`a vector of ${dim} numbers`, { [BYTES]: table.bytes / table.size });
    here.record('its name', { [BYTES]: names.bytes / table.size });
    here.record(`an edge, ${ofOne} of a user, with all that leads to it`, {
      [BYTES]: activity.bytes / activity.made.edges,
    });
  },
});

function entity(type: string, number: number): EntityKey {
  return entityKey(type, String(FIRST_ID + number));
}

/** Bytes that stay in memory of what is made, beside the heap too. Without --expose-gc, garbage counts as well. */
function bytesOf<Made>(make: () => Made): { readonly bytes: number; readonly made: Made } {
  const before = used();
  const made = make();
  return { bytes: used() - before, made };
}

function used(): number {
  // What the first collection frees beside the heap is gone with the second.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
