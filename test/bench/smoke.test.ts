import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { allBenches } from '../../bench/benches.ts';
import { ROOT } from '../../bench/harness.ts';
import { ran } from '../../bench/process.ts';

/** A word in a log line that a bench looks for, or a metric, may change: then no bench is to fail months later. */
test('every bench runs at its smallest, and has a figure in each of its columns', async () => {
  const { stdout } = await ran([join(ROOT, 'bench', 'run.ts'), '--all', '--smoke'], {
    ...process.env,
    KAFKA_BROKERS: inject('brokers'),
  });
  const benches = await allBenches();
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.split(':')[0])).toEqual(benches.map(({ name }) => name));
  for (const [i, { columns }] of benches.entries()) expect(lines[i]).toContain(columns.join(', '));
});
