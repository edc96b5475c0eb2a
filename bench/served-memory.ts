/**
 * What a process that serves keeps in memory, as a Markdown table: `npx node --expose-gc bench/served-memory.ts`. Vectors are in
 * memory of WebAssembly, names and edges in flat arrays beside Node's heap.
 * --rows: vectors; --dim; --edges: remembered edges; --of-one: edges of each user; --targets: tweets that they lead to.
 * --in-turn: the users take turns, so that all lists grow at the same pace; without it, one user comes after the other.
 */
import { parseArgs } from 'node:util';
import { type EntityKey, entityKey } from '../src/graph/entity.ts';
import { Activity } from '../src/serve/activity.ts';
import { EdgeLists } from '../src/serve/edge-lists.ts';
import { EntityIds } from '../src/serve/entity-ids.ts';
import { Popularity } from '../src/serve/popularity.ts';
import { Spaces } from '../src/serve/spaces.ts';
import { VectorTable } from '../src/serve/vector-table.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    dim: { type: 'string', default: '128' },
    edges: { type: 'string', default: '10000000' },
    'of-one': { type: 'string', default: '10' },
    targets: { type: 'string', default: '1000000' },
    'in-turn': { type: 'boolean', default: false },
  },
});
const given = [values.rows, values.dim, values.edges, values['of-one'], values.targets];
const [rows, dim, edges, ofOne, targets] = given.map(Number);
if (!rows || !dim || !edges || !ofOne || !targets) throw new Error('expected numbers above 0');
const users = Math.ceil(edges / ofOne);
/** Ids of ten digits, as those of accounts and posts are. */
const FIRST_ID = 1_000_000_000;
const FIRST_AT = Date.UTC(2026, 0, 1);
const LIKES = { name: 'likes', lhs: 'user', rhs: 'tweet' };

function entity(type: string, number: number): EntityKey {
  return entityKey(type, String(FIRST_ID + number));
}

/** The user and the tweet of an edge. The edges of a user lead to different tweets. */
function endsOf(i: number): [user: number, tweet: number] {
  const user = values['in-turn'] ? i % users : Math.floor(i / ofOne!);
  const nth = values['in-turn'] ? Math.floor(i / users) : i % ofOne!;
  return [user, (7_919 * user + 104_729 * nth) % targets!];
}

/** With what lies beside the heap. */
function used(): number {
  if (globalThis.gc === undefined) throw new Error('start with: npx node --expose-gc bench/served-memory.ts');
  // What the first one frees beside the heap is gone with the second.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that stay in memory of what is made. */
function bytesOf<Made>(make: () => Made): { readonly bytes: number; readonly made: Made } {
  const before = used();
  const made = make();
  return { bytes: used() - before, made };
}

const table = new VectorTable('tweet', dim, rows);
const vector = new Float32Array(dim).fill(0.1);
const names = bytesOf(() => {
  for (let row = 0; row < rows; row++) table.set(entity('tweet', row), vector);
});
const ids = bytesOf(() => {
  const made = new EntityIds();
  for (let i = 0; i < users; i++) made.hold(entity('user', i));
  for (let i = 0; i < targets; i++) made.hold(entity('tweet', i));
  return made;
});
/** As the first users and then the first tweets got them. */
const idOf = { user: (i: number) => i, tweet: (i: number) => users + i };
const lists = bytesOf(() => {
  const made = new EdgeLists(ids.made);
  for (let i = 0; i < users; i++) made.toEnd(made.open(idOf.user(i)), 0);
  return made;
});
const records = bytesOf(() => {
  for (let i = 0; i < edges; i++) {
    const [user, tweet] = endsOf(i);
    lists.made.add(lists.made.open(idOf.user(user)), idOf.tweet(tweet), 0, FIRST_AT + i);
  }
});
const popular = bytesOf(() => {
  const made = new Popularity(ids.made);
  for (let i = 0; i < targets; i++) made.add(idOf.tweet(i), FIRST_AT, 1);
  return made;
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
    const [user, tweet] = endsOf(i);
    const [lhs, rhs] = [entity('user', user), entity('tweet', tweet)];
    made.take({ lhs, relation: LIKES.name, rhs, at: FIRST_AT + i, removed: false });
  }
  return made;
});
const awaited = bytesOf(() => {
  const made = new Spaces(rows, () => false);
  for (let row = 0; row < rows; row++) made.active(entity('tweet', row), FIRST_AT + row);
  return made;
});

const count = (value: number) => value.toLocaleString('en');
const each = (bytes: number, of: number) => (bytes / of).toFixed(1);
console.log(`| | bytes each |
|---|---:|
| ${count(table.size)} vectors of ${dim} numbers | ${each(table.bytes, table.size)} |
| their names | ${each(names.bytes, table.size)} |
| ${count(rows)} entities that events name before their vector is read | ${each(awaited.bytes, rows)} |
| ${count(ids.made.size)} entities that edges lead from or to | ${each(ids.bytes, ids.made.size)} |
| ${count(lists.made.size)} of them with edges of their own, besides | ${each(lists.bytes, lists.made.size)} |
| ${count(popular.made.size)} of them that are popular, besides | ${each(popular.bytes, popular.made.size)} |
| ${count(edges)} edges, ${ofOne} of a user | ${each(records.bytes, edges)} |
| all of it, for each of ${count(activity.made.edges)} edges | ${each(activity.bytes, activity.made.edges)} |`);
