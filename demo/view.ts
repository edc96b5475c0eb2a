import { clock, count, cut, duration, fixed, score } from './figures.ts';

/** One graph's state as the demo shows it. A value that is not measured yet is undefined. */
export interface GraphProgress {
  readonly graph: string;
  /** Events trained in about the last second. */
  readonly eventsPerS: number | undefined;
  /** Live edges and entities. */
  readonly edges: number;
  readonly entities: number;
  /** Mean of the anchors' losses in the latest steps. */
  readonly loss: number | undefined;
  /** MRR of held-back edges between known entities: by the model, by popularity, and by chance. */
  readonly mrr: number | undefined;
  readonly mrrPopularity: number | undefined;
  readonly mrrChance: number | undefined;
  /** Vectors acknowledged by the output topic, and vectors that wait. */
  readonly published: number;
  readonly outbox: number;
  /** From the arrival of an event in the log to the vector of its entity in the log: median and 99th percentile, ms. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

export type DemoPhase = 'starting' | 'feeding' | 'catching up' | 'publishing' | 'looking';

export interface DemoProgress {
  readonly phase: DemoPhase;
  /** Time since the demo's start. */
  readonly elapsedMs: number;
  /** Records sent so far, and in all. */
  readonly fed: number;
  readonly total: number;
  /** Records sent a second. */
  readonly fedPerS: number | undefined;
  readonly graphs: readonly GraphProgress[];
}

/** A terminal or a stream, such as process.stdout. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Maximum length of a line on any terminal. */
export const MAX_COLUMNS = 100;
const BAR_COLUMNS = 24;
const LINE_EVERY_MS = 5000;
const HEADINGS = [
  'graph',
  'events/s',
  'edges',
  'entities',
  'loss',
  'MRR',
  'popular',
  'chance',
  'published',
  'outbox',
];
const WIDTHS = [10, 8, 9, 8, 6, 5, 7, 6, 9, 7];
const LATENCY_COLUMNS = 14;

/** The progress as a table for a terminal: a bar, a heading, one line for each graph. */
export function progressLines(progress: DemoProgress): string[] {
  const share = progress.total === 0 ? 0 : Math.min(1, progress.fed / progress.total);
  const full = Math.round(share * BAR_COLUMNS);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_COLUMNS - full);
  const fed = `${count(progress.fed)} of ${count(progress.total)} events sent`;
  const rate = progress.fedPerS === undefined ? '' : `, ${count(progress.fedPerS)}/s`;
  return [
    `${clock(progress.elapsedMs)}  ${progress.phase.padEnd(11)}  ${bar}  ${fed}${rate}`,
    row(HEADINGS, 'p50 / p99'),
    ...progress.graphs.map((graph) =>
      row(
        [
          graph.graph,
          count(graph.eventsPerS),
          count(graph.edges),
          count(graph.entities),
          fixed(graph.loss, 3),
          score(graph.mrr),
          score(graph.mrrPopularity),
          score(graph.mrrChance),
          count(graph.published),
          count(graph.outbox),
        ],
        `${duration(graph.p50Ms)} / ${duration(graph.p99Ms)}`,
      ),
    ),
  ].map((line) => cut(line, MAX_COLUMNS));
}

/** The progress in one line, for a log or a pipe. The three MRR are the model's, popularity's and chance's. */
export function progressLine(progress: DemoProgress): string {
  const share = progress.total === 0 ? 0 : Math.floor((100 * progress.fed) / progress.total);
  const graphs = progress.graphs.map((graph) => {
    const ranks = [graph.mrr, graph.mrrPopularity, graph.mrrChance].map(score).join(' ');
    return `  ${graph.graph} ${count(graph.eventsPerS)}/s MRR ${ranks}`;
  });
  return cut(`${clock(progress.elapsedMs)} ${progress.phase} ${share}%${graphs.join('')}`, MAX_COLUMNS);
}

/** Draws the progress: in place on a terminal; elsewhere a line every five seconds and at each new phase. */
export class LiveView {
  readonly #screen: Screen;
  #drawn = 0;
  #phase: DemoPhase | undefined;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(progress: DemoProgress): void {
    if (this.#screen.isTTY === true) {
      const columns = this.#screen.columns ?? MAX_COLUMNS;
      // A wrapped line takes two rows, so the next drawing would start a row too low.
      const lines = progressLines(progress).map((line) => cut(line, columns));
      const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`;
      this.#screen.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[J`);
      this.#drawn = lines.length;
      return;
    }
    if (progress.phase === this.#phase && progress.elapsedMs - this.#saidMs < LINE_EVERY_MS) return;
    this.#phase = progress.phase;
    this.#saidMs = progress.elapsedMs;
    this.#screen.write(`${progressLine(progress)}\n`);
  }

  /** Prints a permanent line above the progress. */
  say(line: string): void {
    const clear = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
    this.#screen.write(`${clear}${line}\n`);
    this.#drawn = 0;
  }
}

function row(cells: readonly string[], latency: string): string {
  const padded = cells.map((cell, index) => {
    const width = WIDTHS[index] ?? 0;
    return index === 0 ? cut(cell, width).padEnd(width) : cell.padStart(width);
  });
  return `${padded.join(' ')}  ${latency.padStart(LATENCY_COLUMNS)}`.trimEnd();
}
