import type { GraphConfig } from '../config/resolve.ts';
import { type Digest, digest } from '../graph/digest.ts';
import { fingerprint, type Head } from '../graph/head.ts';
import { openForReading } from '../state/open.ts';
import { livePlace, placeOf } from '../state/places.ts';
import type { Output } from './output.ts';
import { count, total } from './progress-line.ts';

export interface GraphStats {
  /** Name of the live store, the one that is told of. */
  readonly store: string;
  readonly entities: Record<string, number>;
  /** Live edges. */
  readonly edges: Record<string, number>;
  readonly events: Head['events'];
  readonly step: number;
  readonly outbox: number;
  readonly offsets: Head['offsets'];
  readonly fingerprint: string;
  readonly digest?: Digest;
}

/** Says what the stores hold as of their last commits, beside a running updater too. */
export async function stats(
  graphs: readonly GraphConfig[],
  options: { json: boolean; digest: boolean },
  output: Output,
): Promise<void> {
  const all: Record<string, GraphStats> = {};
  for (const graph of graphs) all[graph.name] = await statsOf(graph, options.digest, output);
  if (options.json) output.out(JSON.stringify({ graphs: all }));
  else for (const graph of graphs) print(graph, all[graph.name], output);
}

async function statsOf(graph: GraphConfig, withDigest: boolean, output: Output): Promise<GraphStats> {
  const place = livePlace(graph);
  const store = await openForReading(graph, place);
  try {
    const head = await store?.head();
    const digested =
      withDigest && store
        ? await digest(store, (done) => output.status(`${graph.name}: ${count(done)} records digested`))
        : undefined;
    output.statusDone();
    const none = { consumed: 0, rejected: 0, duplicate: 0, late: 0 };
    return {
      store: place.name,
      entities: zeroed(head?.model.entityTypes ?? graph.model.entityTypes, head?.entities),
      edges: zeroed(
        (head?.model ?? graph.model).relations.map(({ name }) => name),
        head?.edges,
      ),
      events: head?.events ?? none,
      step: head?.step ?? 0,
      outbox: head?.outbox ?? 0,
      offsets: head?.offsets ?? {},
      fingerprint: fingerprint(head?.model ?? graph.model),
      ...(digested && { digest: digested }),
    };
  } finally {
    await store?.close();
  }
}

function zeroed(
  names: readonly string[],
  counts: Record<string, number> | undefined,
): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, counts?.[name] ?? 0]));
}

function print(graph: GraphConfig, found: GraphStats | undefined, output: Output): void {
  if (found === undefined) return;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, n]) => `${count(n)} ${name}`)
      .join(', ');
  const { name, folder } = placeOf(graph, found.store);
  output.out(`${graph.name}  (${name} in ${folder})`);
  output.out(`  entities     ${count(total(found.entities))}: ${list(found.entities)}`);
  output.out(`  live edges   ${count(total(found.edges))}: ${list(found.edges)}`);
  output.out(`  events       ${list(found.events)}`);
  output.out(`  step         ${count(found.step)}`);
  output.out(`  outbox       ${count(found.outbox)} vectors not yet acknowledged`);
  for (const [topic, partitions] of Object.entries(found.offsets)) {
    const offsets = Object.entries(partitions).map(([partition, offset]) => `${partition}: ${count(offset)}`);
    output.out(`  read up to   ${topic} ${offsets.join(', ')}`);
  }
  output.out(`  fingerprint  ${found.fingerprint}`);
  if (found.digest) output.out(`  digest       edges ${found.digest.edges}, vectors ${found.digest.vectors}`);
}
