// npm run soak -- --minutes 20 [--seed N] [--rate EVENTS] [--brokers N] [--out FILE]
//   Mixed faults at random under load for a time; then everything is drained and verified.
// npm run soak -- --steady --minutes 60 [--seed N] [--rate EVENTS] [--brokers N] [--samples FILE] [--out FILE]
//   A steady load without faults, the dashboard open all the time; --collect asks the updater for a
//   collection once a minute, so that what its heap holds is known; --scale N is for a population N times as large, --alone
//   without the browser. Samples go to FILE (soak.ndjson unless said) as they come.
// npm run soak -- --report-of FILE [--out FILE]
//   The report of those samples, also while they are still being taken.
// The report goes to stdout. Ends with 1 where something was not as it must be.
import { writeFile } from 'node:fs/promises';
import { getHeapStatistics } from 'node:v8';
import { mixedFaults } from './mixed.ts';
import { readOptions, type SoakOptions } from './options.ts';
import { steadyReport } from './steady/report.ts';
import { readRun } from './steady/samples.ts';
import { steady } from './steady/steady.ts';

const MIB = 1024 * 1024;
/** What an hour's events and vectors take while they are compared with the store. */
const HEAP_MIB = 12_288;

const options = readOptions(process.argv.slice(2), Date.now());
if (options.form === 'steady' && getHeapStatistics().heap_size_limit < HEAP_MIB * MIB) {
  const args = [`--max-old-space-size=${HEAP_MIB}`, ...process.argv.slice(1)];
  process.execve?.(process.execPath, [process.execPath, ...args], process.env);
}
const { text, right } = await soak(options);
process.stdout.write(`${text}\n`);
if (options.out !== undefined) await writeFile(options.out, `${text}\n`);
process.exitCode = right ? 0 : 1;

async function soak(asked: SoakOptions): Promise<{ text: string; right: boolean }> {
  if (asked.form === 'mixed') return mixedFaults(asked);
  if (asked.form === 'steady') await steady(asked);
  return steadyReport(readRun(asked.samples));
}
