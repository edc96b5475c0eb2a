import type { GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import type { EntityKey } from '../graph/entity.ts';
import type { EntityRecord, GraphStore } from '../graph/graph-store.ts';
import { type Neighbour, nearest, norm } from '../graph/nearest.ts';
import { openForReading } from '../state/open.ts';
import type { Output } from './output.ts';
import { count } from './progress-line.ts';

const NEAREST = 10;

export interface ShownEntity {
  readonly entity: EntityKey;
  readonly graph: string;
  /** Live edges by relation. */
  readonly edges: Record<string, { out: number; in: number }>;
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly updates: number;
  readonly step: number;
  readonly norm: number;
  readonly vector: number[];
  readonly nearest: readonly Neighbour[];
}

/** Says all that is known of an entity, in each of the graphs that has it. @throws FatalError when none does. */
export async function show(
  graphs: readonly GraphConfig[],
  entity: EntityKey,
  options: { json: boolean },
  output: Output,
): Promise<void> {
  let found = 0;
  for (const graph of graphs) {
    const store = await openForReading(graph);
    try {
      const record = await knownIn(store, entity);
      if (store === undefined || record === undefined) continue;
      found++;
      output.status(`${graph.name}: comparing with every vector`);
      const shown = await describe(store, graph.name, record);
      output.statusDone();
      if (options.json) output.out(JSON.stringify(shown));
      else print(shown, output);
    } finally {
      await store?.close();
    }
  }
  if (found > 0) return;
  const names = graphs.map(({ name }) => name).join(', ');
  throw new FatalError(
    'unknown-entity',
    `${entity} is not in ${names}: no event has named it there, or it was erased`,
  );
}

async function knownIn(store: GraphStore | undefined, entity: EntityKey): Promise<EntityRecord | undefined> {
  const type = entity.slice(0, entity.indexOf(':'));
  return store?.layout.typeIndex(type) === undefined ? undefined : store.entity(entity);
}

async function describe(store: GraphStore, graph: string, record: EntityRecord): Promise<ShownEntity> {
  const edges: Record<string, { out: number; in: number }> = {};
  for await (const edge of store.edgesOf(record.key)) {
    if (edge.removed) continue;
    edges[edge.relation] ??= { out: 0, in: 0 };
    const counts = edges[edge.relation];
    if (counts) counts[edge.direction]++;
  }
  const [row] = await store.readRows([record.row]);
  const { dim } = store.layout;
  const floats = row?.floats ?? new Float32Array(dim);
  return {
    entity: record.key,
    graph,
    edges,
    firstSeen: record.firstSeen,
    lastSeen: record.lastSeen,
    updates: record.updates,
    step: row?.step ?? 0,
    norm: norm(floats, dim),
    vector: [...floats.subarray(0, dim)],
    nearest: await nearest(store, record.row, NEAREST),
  };
}

function print(shown: ShownEntity, output: Output): void {
  output.out(`${shown.entity} in ${shown.graph}`);
  for (const [relation, { out, in: incoming }] of Object.entries(shown.edges)) {
    output.out(`  ${relation.padEnd(12)} ${count(out)} out, ${count(incoming)} in`);
  }
  output.out(`  first seen   ${new Date(shown.firstSeen).toISOString()}`);
  output.out(`  last seen    ${new Date(shown.lastSeen).toISOString()}`);
  output.out(
    `  vector       norm ${shown.norm.toFixed(4)}, step ${count(shown.step)}, ${count(shown.updates)} updates`,
  );
  output.out('  nearest');
  for (const { entity, score } of shown.nearest) output.out(`    ${score.toFixed(4)}  ${entity}`);
}
