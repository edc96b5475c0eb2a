/**
 * What a process that serves keeps in memory, as a Markdown table: `npx node --expose-gc bench/served-memory.ts`. Vectors are in
 * memory of WebAssembly, names in flat arrays, edges in Node's heap.
 * --rows: vectors; --dim; --edges: remembered edges, and actors; --of-one: edges of each user; --of-target: actors of each target.
 */
import { parseArgs } from 'node:util';
import { type EntityKey, entityKey } from '../src/graph/entity.ts';
import { Activity } from '../src/serve/activity.ts';
import { RecentActors } from '../src/serve/recent-actors.ts';
import { Spaces } from '../src/serve/spaces.ts';
import { VectorTable } from '../src/serve/vector-table.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    dim: { type: 'string', default: '128' },
    edges: { type: 'string', default: '1000000' },
    'of-one': { type: 'string', default: '10' },
    'of-target': { type: 'string', default: '10' },
  },
});
const given = [values.rows, values.dim, values.edges, values['of-one'], values['of-target']];
const [rows, dim, edges, ofOne, ofTarget] = given.map(Number);
if (!rows || !dim || !edges || !ofOne || !ofTarget) throw new Error('expected numbers above 0');
/** Ids of ten digits, as those of accounts and posts are. */
const FIRST_ID = 1_000_000_000;
/** Epoch ms: a number so large takes memory of its own. */
const FIRST_AT = Date.UTC(2026, 0, 1);

function entity(type: string, number: number): EntityKey {
  return entityKey(type, String(FIRST_ID + number));
}

/** With the flat arrays of what is popular, which lie beside the heap. */
function used(): number {
  if (globalThis.gc === undefined) throw new Error('start with: npx node --expose-gc bench/served-memory.ts');
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const before = used();
const table = new VectorTable('tweet', dim, rows);
const vector = new Float32Array(dim).fill(0.1);
for (let row = 0; row < rows; row++) table.set(entity('tweet', row), vector);
const withNames = used();
const activity = new Activity({
  edgesOfOne: 1_000,
  edges,
  sourcesOf: [],
  recentSourcesOf: [],
  actorsOf: [],
  actors: 0,
  clock: () => 0,
});
for (let i = 0; i < edges; i++) {
  const [lhs, rhs] = [entity('user', Math.floor(i / ofOne)), entity('tweet', (i * 7_919) % rows)];
  activity.take({ lhs, relation: 'likes', rhs, at: FIRST_AT + i, removed: false });
}
const withEdges = used();
const spaces = new Spaces(rows, () => false);
for (let row = 0; row < rows; row++) spaces.active(entity('tweet', row), FIRST_AT + row);
const withAwaited = used();
// The names are strings of their own, as where each actor did something else since.
const actors = new RecentActors(edges);
for (let i = 0; i < edges; i++)
  actors.add(entity('tweet', Math.floor(i / ofTarget)), entity('user', (i * 7_919) % edges));
const withActors = used();

console.log(`| | bytes each |
|---|---:|
| ${table.size} vectors of ${dim} numbers | ${Math.round(table.bytes / table.size)} |
| their names | ${Math.round((withNames - before) / table.size)} |
| ${activity.edges} edges, ${ofOne} of a user | ${Math.round((withEdges - withNames) / activity.edges)} |
| ${rows} entities that events name before their vector is read | ${Math.round((withAwaited - withEdges) / rows)} |
| ${actors.size} actors, ${ofTarget} of a target | ${Math.round((withActors - withAwaited) / actors.size)} |`);
// Nothing may be collected before it is measured.
actors.add(entity('tweet', 0), entity('user', 0));
spaces.active(entity('tweet', 0), FIRST_AT);
