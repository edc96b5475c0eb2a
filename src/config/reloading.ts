import type { ConfigFile } from './schema.ts';

/** When a changed key counts: in the running process at once, or from the next start on. */
export type Counts = 'at once' | 'from a restart';

type Section = 'kafka' | 'model' | 'training' | 'commit' | 'publish' | 'limits' | 'log';
type OfEachKey<Of> = {
  readonly [Key in keyof ConfigFile]-?: Key extends Section
    ? { readonly [Inner in keyof ConfigFile[Key]]-?: Of }
    : Of;
};

/**
 * Every key of a configuration file. At once counts what is read each time it is used: see `Tuning`. The rest is built
 * into something that a running process has (tables, groups, a store of that model), or decides what a graph learns.
 */
export const COUNTS: OfEachKey<Counts> = {
  topicPrefix: 'from a restart',
  kafka: { brokers: 'from a restart', clientId: 'from a restart' },
  state: 'from a restart',
  http: 'from a restart',
  entityTypes: 'from a restart',
  relations: 'from a restart',
  topics: 'from a restart',
  graphs: 'from a restart',
  preset: 'from a restart',
  model: {
    dim: 'from a restart',
    scorer: 'from a restart',
    loss: 'from a restart',
    beta: 'from a restart',
    margin: 'from a restart',
    negativeWeight: 'from a restart',
    learningRate: 'from a restart',
    unitBall: 'from a restart',
    relationWeights: 'from a restart',
  },
  training: {
    kernel: 'from a restart',
    threads: 'from a restart',
    seed: 'from a restart',
    init: 'from a restart',
    initScale: 'from a restart',
    updatesPerEdge: 'from a restart',
    batchEdges: 'at once',
    chunkEdges: 'from a restart',
    uniformNegatives: 'from a restart',
    inBatchNegatives: 'from a restart',
    negativePool: 'from a restart',
    lingerMs: 'at once',
    evaluatedEdges: 'from a restart',
    evaluatedCandidates: 'from a restart',
  },
  commit: { everyEdges: 'at once', everyMs: 'at once', mostRows: 'at once' },
  publish: { epsilon: 'at once', maxAgeMs: 'at once', maxOutbox: 'at once' },
  limits: {
    maxEntities: 'from a restart',
    maxKnownEdges: 'from a restart',
    knownEdgesBytes: 'from a restart',
    queueBytes: 'at once',
    valueBytes: 'from a restart',
    depth: 'from a restart',
    readyLagMs: 'at once',
    stopMs: 'at once',
  },
  log: { level: 'at once' },
};

/** Keys as a person writes them, such as `publish.epsilon`, in the table's order. */
export const KEYS: readonly { readonly key: string; readonly counts: Counts }[] = Object.entries(
  COUNTS,
).flatMap(([key, counts]: [string, Counts | Readonly<Record<string, Counts>>]) =>
  typeof counts === 'string'
    ? [{ key, counts }]
    : Object.entries(counts).map(([inner, each]) => ({ key: `${key}.${inner}`, counts: each })),
);
