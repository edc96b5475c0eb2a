/**
 * What an entity costs in memory beside its vector and its edges, and finding it by its name, next to a Map of texts, as a
 * Markdown table: `npx node --expose-gc bench/entities.ts`. --entities: how many.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type EntityKey, entityKey } from '../src/graph/entity.ts';
import { EntityIndex } from '../src/graph/entity-index.ts';
import { Random } from '../src/sampling/random.ts';
import { TypeRows } from '../src/sampling/type-rows.ts';

const { values } = parseArgs({ options: { entities: { type: 'string', default: '1000000' } } });
const entities = Number(values.entities);
const random = Random.seeded(1);
/** A text of its own each time, as it comes out of a record. */
const key = (n: number) => entityKey('user', `${1_000_000_000 + 7 * n}`);

const before = memory();
const index = new EntityIndex(0, ['user', 'tweet']);
const types = new TypeRows(2, entities);
const addMs = timed(() => {
  for (let n = 0; n < entities; n++) types.add(index.add(key(n), n), 0);
});
const bytes = (memory() - before) / entities;
const map = new Map<EntityKey, number>();
const mapAddMs = timed(() => {
  for (let n = 0; n < entities; n++) map.set(key(n), n);
});
const mapBytes = (memory() - before) / entities - bytes;
const asked = Array.from({ length: entities }, () => random.below(entities));
const [keys, others] = [asked.map(key), asked.map(key)];
let found = 0;
const findMs = timed(() => {
  for (const each of keys) found += index.find(each) ?? 0;
});
const mapFindMs = timed(() => {
  for (const each of others) found -= map.get(each) ?? 0;
});
if (found !== 0) throw new Error('the two do not agree');
const nameMs = timed(() => {
  for (const row of asked) found += index.keyAt(row)?.length ?? 0;
});

const each = (ms: number) => `${((ms * 1e6) / entities).toFixed(0)} ns`;
console.log('# Entities in memory\n');
console.log(`    npx node --expose-gc bench/entities.ts --entities ${entities}\n`);
console.log(
  `${cpus()[0]?.model}, Node ${process.version}. Names such as ${key(1)}, asked for in no order.\n`,
);
console.log('| | the index, with rows by type | a Map of texts |\n|---|---:|---:|');
console.log(`| bytes an entity | ${bytes.toFixed(0)} | ${mapBytes.toFixed(0)} |`);
console.log(`| one taken in | ${each(addMs)} | ${each(mapAddMs)} |`);
console.log(`| found by its name | ${each(findMs)} | ${each(mapFindMs)} |`);
console.log(`| the name of a row | ${each(nameMs)} | |`);

/** Of the heap and of arrays, garbage left out. */
function memory(): number {
  if (global.gc === undefined) throw new Error('node --expose-gc bench/entities.ts: it must collect garbage');
  global.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Milliseconds of processor time: what else the machine does is not counted. */
function timed(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
