import { execFileSync } from 'node:child_process';

/** A cell: a text, a number, or the median of several numbers with the least and the most. */
export type Cell = string | number | readonly [median: number, least: number, most: number];

export interface ResultTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** A run, as it is kept in bench/results/NAME.jsonl. */
export interface Result {
  readonly bench: string;
  /** Tells results of one bench apart that are kept beside each other; the command where absent. */
  readonly title?: string;
  /** What repeats it; paths by their last part. */
  readonly command: string;
  readonly commit: string;
  /** Whether files differed from the commit. */
  readonly dirty: boolean;
  /** The day, as 2026-11-28. */
  readonly at: string;
  readonly machine: string;
  /** Load of the machine at the start and at the end. */
  readonly load: readonly number[];
  readonly tables: readonly ResultTable[];
}

/** What git says of a folder. @throws where there is no git or no history. */
export function git(folder: string, ...args: readonly string[]): string {
  return execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/** Results as Markdown tables, each after its command and its machine. */
export function printed({ command, commit, dirty, at, machine: on, load: loads, tables }: Result): string {
  const changed = dirty ? ' with changes' : '';
  const loaded = loads.length > 0 ? `, load ${loads.join(' to ')}` : '';
  return [
    `    ${command}`,
    '',
    `At ${commit.slice(0, 10)}${changed}, ${at}. ${on}${loaded}.`,
    ...tables.flatMap(({ columns, rows }) => [
      '',
      line(columns),
      `|---|${'---:|'.repeat(columns.length - 1)}`,
      ...rows.map((row) => line(row.map(shown))),
    ]),
  ].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function shown(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return figure(cell);
  const [middle, least, most] = cell;
  return `${figure(middle)} (${figure(least)} – ${figure(most)})`;
}

/** Four digits, and whole from a hundred on. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return '';
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(4)));
}
