import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { behind } from '../../e2e/topic-ends.ts';
import { readLog, type TopicRecord } from '../../e2e/topic-reader.ts';
import type { LoadRecord } from '../load/load.ts';
import {
  compareLetters,
  compareOffsets,
  compareRelations,
  compareSteps,
  compareStore,
  compareTopic,
  some,
} from './compare.ts';
import { readStoreBytes } from './store-bytes.ts';
import { GRAPHS, type GraphName, truthOf } from './truth.ts';

/** A deployment at rest, everything consumed, trained and published, and what went in. */
export interface Deployment {
  readonly brokers: string;
  readonly prefix: string;
  /** Folder of the stores. */
  readonly state: string;
  readonly graphs: readonly GraphName[];
  /** Every record that was made, by `n`. */
  readonly made: readonly LoadRecord[];
  /** Numbers of the records that a broker acknowledged. */
  readonly acknowledged: ReadonlySet<number>;
  /** Whether a dead letter may have come twice: only where a process was killed between writing one and its commit. */
  readonly repeatedLetters?: boolean;
  /** The largest message that the dead-letter topic takes, where an operator made that smaller than a letter. */
  readonly letterBytes?: number;
}

/** What was compared, for a report. */
export type Verified = Awaited<ReturnType<typeof verify>>;

/** Compares everything with everything. @throws Error with a line for each difference. */
export async function verify(deployment: Deployment) {
  const { brokers, prefix, graphs, made, acknowledged } = deployment;
  const names = new Set<string>(graphs.flatMap((graph) => GRAPHS[graph].topics));
  const written = [...graphs.flatMap((graph) => [`embeddings.${graph}`, `model.${graph}`]), 'dead-letter'];
  const topics = [...names, ...written].map((name) => `${prefix}${name}`);
  const { records: all, ends } = await readLog(brokers, topics);
  const recordsOf = (name: string) => all.filter((record) => record.topic === `${prefix}${name}`);
  const records = [...names].flatMap(recordsOf);
  const there = new Set(records.map(({ headers }) => Number(headers['n'])));
  const sent = [...acknowledged].filter((n) => names.has(made[n]?.topic ?? ''));
  const problems = some(
    sent.filter((n) => !there.has(n)),
    (n) => `input: record ${n} was acknowledged and is not in the log`,
  );
  const codeOf = ({ headers }: TopicRecord) => made[Number(headers['n'])]?.code;
  // unsure: events whose being a repeat hangs on the order in which partitions were read.
  const totals = { edges: 0, removed: 0, entities: 0, published: 0, publishedAgain: 0, unsure: 0 };
  const steps: Record<string, number> = {};
  for (const graph of graphs) {
    const truth = truthOf(graph, prefix, records, (record) => codeOf(record) !== undefined);
    const stored = await readStoreBytes(databaseOf(deployment.state, graph));
    const [topic, model] = [recordsOf(`embeddings.${graph}`), recordsOf(`model.${graph}`)];
    const own = GRAPHS[graph].topics.map((name) => `${prefix}${name}`);
    const found = [
      ...compareStore(stored, truth),
      ...compareOffsets(stored, new Map([...ends].filter(([name]) => own.includes(name)))),
      ...compareTopic(stored, topic),
      ...compareSteps(topic),
      ...compareRelations(stored, model),
      ...compareSteps(model),
      ...(await lagProblems(deployment, graph, own)),
    ];
    problems.push(...found.map((problem) => `${graph}: ${problem}`));
    const removed = [...truth.edges.values()].filter((edge) => edge.removed).length;
    totals.edges += truth.edges.size - removed;
    totals.removed += removed;
    totals.entities += stored.entities.size;
    totals.published += topic.length;
    totals.publishedAgain +=
      topic.length - new Set(topic.map(({ key, headers }) => `${key} ${headers['step']}`)).size;
    totals.unsure += truth.duplicate[1] - truth.duplicate[0];
    steps[graph] = stored.head.step;
  }
  const bad = records.flatMap((record) => {
    const code = codeOf(record);
    if (code === undefined) return [];
    const readers = graphs.filter((graph) =>
      GRAPHS[graph].topics.some((name) => record.topic === `${prefix}${name}`),
    );
    return readers.map((graph) => ({ ...record, code, graph }));
  });
  const letters = recordsOf('dead-letter');
  const compared = compareLetters(letters, bad, deployment.letterBytes);
  problems.push(...compared.problems.map((problem) => `dead letters: ${problem}`));
  if (compared.repeated > 0 && deployment.repeatedLetters !== true)
    problems.push(`dead letters: ${compared.repeated} came twice`);
  if (problems.length > 0)
    throw new Error(`what is there is not what it must be:\n  ${problems.join('\n  ')}`);
  return {
    events: records.length,
    // Records of the graphs' topics; all are in the log.
    acknowledged: sent.length,
    ...totals,
    letters: letters.length,
    lettersRepeated: compared.repeated,
    steps,
  };
}

/** The folder of the graph's live store. */
export function databaseOf(state: string, graph: string): string {
  const live = join(state, graph, 'live.json');
  const name = existsSync(live) ? JSON.parse(readFileSync(live, 'utf8')).live : 'main';
  return name === 'main' ? join(state, graph, 'db') : join(state, graph, 'stores', name, 'db');
}

/** Partitions of which the group of a graph or shard has not committed everything. */
export async function lagProblems(
  { brokers, prefix }: Pick<Deployment, 'brokers' | 'prefix'>,
  graph: string,
  topics: readonly string[],
): Promise<string[]> {
  return (await behind(brokers, `${prefix}${graph}`, topics)).map(
    ({ topic, partition, committed, end }) =>
      `the group has committed ${committed} of ${topic}/${partition}, which ends at ${end}`,
  );
}
