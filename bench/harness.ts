import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../broker/start.ts';
import type { Cell, ResultTable } from './result.ts';

export const ROOT = join(import.meta.dirname, '..');

/** Options of a bench: each may be given on the command line, as `--edges 1000`. An empty text: nothing is named. */
export type Size = Readonly<Record<string, number | string | boolean>>;

/** Figures of one turn, by column. */
export type Figures = Readonly<Record<string, number>>;

/** A program that measures. */
export interface Bench<S extends Size = Size> {
  readonly name: string;
  /** What it measures, in a sentence. */
  readonly what: string;
  /** The page of docs/ that quotes its figures, with the heading. */
  readonly docs: string;
  /** Files and folders whose changes make its figures old. */
  readonly measures: readonly string[];
  readonly sizes: { readonly full: S; readonly smoke: S };
  /** Common options without a part in it, which are refused: it has one round, or reads no configuration that --set could change. */
  readonly without?: readonly ('rounds' | 'set')[];
  /** Columns of the table, with their units. */
  readonly columns: readonly string[];
  measure(here: Here<S>): Promise<void>;
}

/** A bench with the type of its options. */
export function defineBench<S extends Size>(bench: Bench<S>): Bench<S> {
  return bench;
}

/** What a bench is run with, and what it has measured so far. */
export class Here<S extends Size = Size> {
  readonly size: S;
  /** `key=value` over the configuration. */
  readonly set: readonly string[];
  readonly rounds: number;
  readonly #shared: Shared;
  readonly #rows = new Map<string, Map<string, number[]>>();

  constructor(size: S, options: { set: readonly string[]; rounds: number; shared: Shared }) {
    this.size = size;
    this.set = options.set;
    this.rounds = options.rounds;
    this.#shared = options.shared;
  }

  say(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  /** Takes the figures of one turn of a row; NaN is none. */
  record(row: string, figures: Figures): void {
    const columns = this.#rows.get(row) ?? new Map<string, number[]>();
    this.#rows.set(row, columns);
    for (const [column, value] of Object.entries(figures))
      if (!Number.isNaN(value)) columns.set(column, [...(columns.get(column) ?? []), value]);
  }

  /** Lets all ways take turns, so that a busy machine slows all alike. warmUp: rounds that do not count. */
  async turns(ways: Readonly<Record<string, () => Figures | Promise<Figures>>>, warmUp = 0): Promise<void> {
    for (let round = -warmUp; round < this.rounds; round++) {
      for (const [row, turn] of Object.entries(ways)) {
        const figures = await turn();
        if (round >= 0) this.record(row, figures);
      }
    }
  }

  /** Median over the rounds of one column's figure of a row over another column's in the same round. */
  ratio(row: string, column: string, of: string): number {
    const others = this.#rows.get(row)?.get(of) ?? [];
    const own = this.#rows.get(row)?.get(column) ?? [];
    return median(own.map((value, i) => value / (others[i] ?? Number.NaN)));
  }

  /** host:port of a broker, which all benches of this process share. */
  broker(): Promise<string> {
    return this.#shared.broker();
  }

  /** An empty folder, which is removed at the end. */
  folder(): Promise<string> {
    return this.#shared.folder();
  }

  table(columns: readonly string[]): ResultTable {
    return {
      columns: ['', ...columns],
      rows: [...this.#rows].map(([row, figures]) => [
        row,
        ...columns.map((column) => cellOf(figures.get(column))),
      ]),
    };
  }
}

function cellOf(values: readonly number[] | undefined): Cell {
  if (values === undefined) return '';
  if (values.length === 1) return values[0]!;
  return [median(values), Math.min(...values), Math.max(...values)];
}

/** What the benches of one process share. */
export class Shared implements AsyncDisposable {
  readonly #opened = new AsyncDisposableStack();
  #broker: Promise<string> | undefined;

  broker(): Promise<string> {
    this.#broker ??= this.#startBroker();
    return this.#broker;
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'twhin-bench-'));
    this.#opened.defer(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  async #startBroker(): Promise<string> {
    const dir = join(await this.folder(), 'broker');
    const broker = await startBroker({
      dir,
      onProgress: (line) => void process.stderr.write(`${line}\n`),
      // Of what is published at full speed the page cache would be full within minutes, before a topic's retention is looked at.
      settings: { 'log.retention.check.interval.ms': '10000' },
    });
    this.#opened.defer(() => broker.stop());
    return broker.brokers;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[i] ?? Number.NaN;
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2;
}

/** Milliseconds of processor time of all threads that some work takes: on a shared machine, time on the wall is that of others. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

export function load(): number {
  return Number((loadavg()[0] ?? Number.NaN).toFixed(1));
}

/** Processor, cores and version of Node. */
export function machine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}`;
}
