import type { Attributes, Span, SpanStatusCode } from '@opentelemetry/api';
import { type ByCommit, type Measures, noMeasures } from '../pipeline/measures.ts';

/** Maximum number of commits with unacknowledged vectors; beyond it the trace of the oldest commit ends early. */
const MOST_OPEN = 500;
const ERROR: SpanStatusCode.ERROR = 2;

/** Begins a span, in the trace of `parent` or in a new trace. startMs: epoch ms. */
export type StartSpan = (name: string, startMs: number, attributes: Attributes, parent?: Span) => Span;

interface Stretch {
  readonly from: number;
  to: number;
  readonly attributes: Attributes;
}

interface Batch {
  readonly gathered: Stretch;
  step: Stretch | undefined;
}

interface Commit {
  readonly batches: readonly Batch[];
  readonly askedAt: number;
  written: Stretch | undefined;
  records: number;
  readonly sweeps: Stretch[];
}

/**
 * One graph's traces: one trace for each commit, from the arrival of the first record to the acknowledgement of the last
 * moved vector. The spans are made after the commit, from the measured times: the pipeline never waits for them.
 */
export class CommitSpans implements Measures {
  readonly fresh = noMeasures.fresh;
  readonly ranked = noMeasures.ranked;
  readonly #graph: string;
  readonly #start: StartSpan;
  readonly #clock: () => number;
  /** Batches of the next commit. */
  #batches: Batch[] = [];
  readonly #untrained: Batch[] = [];
  /** By number, oldest first. */
  readonly #commits = new Map<number, Commit>();

  /** clock: epoch ms. */
  constructor(graph: string, start: StartSpan, clock: () => number) {
    this.#graph = graph;
    this.#start = start;
    this.#clock = clock;
  }

  batch(edges: number, ms: number): void {
    const batch: Batch = { gathered: this.#stretch(ms, { 'twhin.edges': edges }), step: undefined };
    this.#batches.push(batch);
    this.#untrained.push(batch);
  }

  step(ms: number): void {
    const batch = this.#untrained.shift();
    if (batch) batch.step = this.#stretch(ms, {});
  }

  asked(commit: number): void {
    const [batches, askedAt] = [this.#batches, this.#clock()];
    this.#batches = [];
    this.#commits.set(commit, { batches, askedAt, written: undefined, records: 0, sweeps: [] });
    const [oldest] = this.#commits.keys();
    if (this.#commits.size > MOST_OPEN && oldest !== undefined) this.#end(oldest, false);
  }

  commit(number: number, ms: number, { records, vectors }: { records: number; vectors: number }): void {
    const commit = this.#commits.get(number);
    if (commit === undefined) return;
    commit.written = this.#stretch(ms, { 'twhin.vectors': vectors });
    commit.records = records;
  }

  publish(vectors: number, ms: number, by: ByCommit): void {
    for (const [commit, of] of by) {
      const attributes = { 'messaging.batch.message_count': vectors, 'twhin.vectors': of };
      this.#commits.get(commit)?.sweeps.push(this.#stretch(ms, attributes));
    }
  }

  acknowledged(commit: number): void {
    this.#end(commit, true);
  }

  /** Ends the traces of all open commits: the process stops. */
  close(): void {
    for (const commit of this.#commits.keys()) this.#end(commit, false);
  }

  #stretch(ms: number, attributes: Attributes): Stretch {
    const to = this.#clock();
    return { from: to - Math.max(0, ms), to, attributes };
  }

  #end(number: number, acknowledged: boolean): void {
    const commit = this.#commits.get(number);
    this.#commits.delete(number);
    // A commit without records or batches only stored acknowledgements.
    if (commit === undefined || (commit.batches.length === 0 && commit.records === 0)) return;
    const { batches, askedAt, written, records, sweeps } = commit;
    const from = Math.min(askedAt, ...batches.map(({ gathered }) => gathered.from));
    const attributes = { 'twhin.graph': this.#graph, 'twhin.commit': number, 'twhin.records': records };
    const root = this.#start('twhin.commit', from, attributes);
    const child = (name: string, { from: begin, to, attributes: of }: Stretch) =>
      this.#start(name, begin, of, root).end(to);
    for (const { gathered, step } of batches) {
      child('twhin.batch', gathered);
      if (step) child('twhin.step', step);
    }
    if (written) child('twhin.write', written);
    for (const sweep of sweeps) child('twhin.publish', sweep);
    if (!acknowledged)
      root.setStatus({ code: ERROR, message: written ? 'not all acknowledged' : 'not written' });
    root.end(this.#clock());
  }
}
