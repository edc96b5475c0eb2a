import { readFileSync } from 'node:fs';
import { z } from 'zod';

const metrics = z.record(z.string(), z.number());

/** The process at a moment. */
const process = z.object({
  kind: z.literal('process'),
  /** Since the steady time began. */
  atS: z.number(),
  rssMiB: z.number(),
  /** Of that what is no file's: heaps, tables, caches, stacks. */
  anonymousMiB: z.number(),
  /** What the heap of its main thread holds after a collection; absent where none is asked for. */
  heldMiB: z.number().optional(),
  files: z.number(),
  threads: z.number(),
  /** Connections to its HTTP port that are open. */
  connections: z.number(),
  /** Time that its main thread was ready to run and had no core, s; absent where the kernel does not count it. */
  waitedS: z.number().optional(),
  /** Load of the machine over the last minute: who else works on it. */
  load: z.number(),
  /** Of each graph, ms: record taken from the log → vector acknowledged, over the newest 4,096 vectors. */
  latencyMs: z.record(z.string(), z.object({ p50: z.number().optional(), p99: z.number().optional() })),
  metrics,
});

/** A tab with the dashboard at a moment, just after its garbage was collected. */
const page = z.object({
  kind: z.literal('page'),
  atS: z.number(),
  tab: z.string(),
  heapMiB: z.number(),
  nodes: z.number(),
  /** Of the nodes those that are in the document; absent in files of earlier versions. */
  shown: z.number().optional(),
  listeners: z.number(),
  headline: z.string(),
});

const begin = z.object({
  kind: z.literal('begin'),
  command: z.string(),
  at: z.string(),
  machine: z.string(),
  versions: z.string(),
  minutes: z.number(),
  rate: z.number(),
  brokers: z.number(),
  seed: z.number(),
  population: z.record(z.string(), z.number()),
  filled: z.number(),
  fillS: z.number(),
  fillCpuS: z.number(),
});

const problem = z.object({ kind: z.literal('problem'), atS: z.number(), tab: z.string(), text: z.string() });

/** What the tabs did. */
const visits = z.object({
  kind: z.literal('visits'),
  loads: z.record(z.string(), z.number()),
  looks: z.record(z.string(), z.number()),
});

const end = z.object({
  kind: z.literal('end'),
  sent: z.number(),
  acknowledged: z.number(),
  feederRetries: z.number(),
  exit: z.string(),
  warnings: z.array(z.string()),
  drainS: z.number(),
  verified: z.record(z.string(), z.unknown()),
});

const line = z.discriminatedUnion('kind', [begin, process, page, problem, visits, end]);

export type Line = z.infer<typeof line>;
export type ProcessSample = z.infer<typeof process>;
export type PageSample = z.infer<typeof page>;
export type Begin = z.infer<typeof begin>;
export type Problem = z.infer<typeof problem>;
export type Visits = z.infer<typeof visits>;
export type End = z.infer<typeof end>;

/** What is known of a run: it may have been cut off. */
export interface Run {
  readonly begin: Begin;
  readonly process: readonly ProcessSample[];
  readonly pages: readonly PageSample[];
  readonly problems: readonly Problem[];
  readonly visits: Visits | undefined;
  readonly end: End | undefined;
}

/** Reads a file of samples, one JSON object a line. @throws where a line is none of these, or none begins it. */
export function readRun(path: string): Run {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => line.parse(JSON.parse(text)));
  const begin = lines.find((each) => each.kind === 'begin');
  if (begin === undefined) throw new Error(`${path}: no line says how the run began; was it ended before?`);
  return {
    begin,
    process: lines.filter((each) => each.kind === 'process'),
    pages: lines.filter((each) => each.kind === 'page'),
    problems: lines.filter((each) => each.kind === 'problem'),
    visits: lines.find((each) => each.kind === 'visits'),
    end: lines.find((each) => each.kind === 'end'),
  };
}
