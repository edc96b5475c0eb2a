import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { composeKnowledgeGraph, knowledgeGraph, readSpace } from '../../src/compose/knowledge-graph.ts';
import { keyOf } from '../../src/evaluation/graph/triple-log.ts';
import type { EntityKey } from '../../src/graph/entity.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { silentLog } from '../../src/log.ts';
import { openForReading } from '../../src/state/open.ts';
import { FIRST_STORE, placeOf } from '../../src/state/places.ts';

const ENTITIES = 40;
const DIM = 8;

/** Each entity leads to the next, and to the one after seven. */
function ring() {
  const lhs = Int32Array.from({ length: 2 * ENTITIES }, (_, i) => i % ENTITIES);
  const rhs = lhs.map((entity, i) => (entity + (i < ENTITIES ? 1 : 7)) % ENTITIES);
  const none = new Int32Array(0);
  const nothing = { lhs: none, relation: none, rhs: none, snapshot: none };
  return {
    entities: Array.from({ length: ENTITIES }, (_, i) => `e${i}`),
    relations: ['next'],
    train: { lhs, relation: new Int32Array(lhs.length), rhs, snapshot: new Int32Array(lhs.length) },
    ...{ valid: nothing, test: nothing, snapshots: [lhs.length] },
  };
}

test('the shards of a knowledge graph are read as one space: each vector from the store of its owner', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-shards-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const triples = ring();
  const settings = [`dim=${DIM}`, 'training.batchEdges=32'];
  const graph = knowledgeGraph(triples, { passes: 4, shards: 3, seed: 1, settings, folder });
  const replaying = await composeKnowledgeGraph(graph, silentLog);
  expect(replaying).toHaveLength(3);
  await Promise.all(replaying.map(({ updater }) => updater.run({ untilCaughtUp: true })));
  const space = await readSpace(triples, graph);
  const owned = new Set<EntityKey>();
  let copies = 0;
  for (const [index, each] of graph.graphs.entries()) {
    const store = (await openForReading(each, placeOf(each, FIRST_STORE)))!;
    for await (const { key, row } of store.entities()) {
      const [stored] = await store.readRows([row]);
      const vector = [...stored!.floats.subarray(0, DIM)];
      const read = [...space.table.vector(space.rowOf(key)!)];
      if (shardOf(key, 3) === index) {
        owned.add(key);
        expect(read, key).toEqual(vector);
      } else if (String(read) !== String(vector)) copies++;
    }
    await store.close();
  }
  expect([...owned].sort()).toEqual(triples.entities.map((_, entity) => keyOf(entity)).sort());
  // A copy is not what its owner has: where it came from matters.
  expect(copies).toBeGreaterThan(ENTITIES / 2);
});
