import type { Output } from './output.ts';

/** Rows of cells. */
type Rows = readonly (readonly string[])[];

/** Prints rows, each column as wide as its widest cell; the first column to the left, the others to the right. */
export function printTable(rows: Rows, output: Output): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    output.out(`  ${cells.join('  ').trimEnd()}`);
  }
}
