import { writeFile } from 'node:fs/promises';
import { getHeapStatistics } from 'node:v8';
import { reasonOf } from '../../../src/errors/errors.ts';
import { mixedFaults } from './mixed.ts';
import { HELP, readOptions, type SoakOptions } from './options.ts';
import { steadyReport } from './steady/report.ts';
import { readRun } from './steady/samples.ts';
import { steady } from './steady/steady.ts';

const MIB = 1024 * 1024;
/** What an hour's events and vectors take while they are compared with the store. */
const HEAP_MIB = 12_288;

const options = optionsOrEnd(process.argv.slice(2));
if (options.form === 'steady' && getHeapStatistics().heap_size_limit < HEAP_MIB * MIB) {
  const args = [`--max-old-space-size=${HEAP_MIB}`, ...process.argv.slice(1)];
  process.execve?.(process.execPath, [process.execPath, ...args], process.env);
}
const { text, right } = await soak(options);
process.stdout.write(`${text}\n`);
if (options.out !== undefined) await writeFile(options.out, `${text}\n`);
process.exitCode = right ? 0 : 1;

function optionsOrEnd(args: readonly string[]): SoakOptions {
  if (args.includes('--help')) {
    console.log(HELP);
    process.exit(0);
  }
  try {
    return readOptions(args, Date.now());
  } catch (error) {
    console.error(`${reasonOf(error)}\n\n${HELP}`);
    process.exit(2);
  }
}

async function soak(asked: SoakOptions): Promise<{ text: string; right: boolean }> {
  if (asked.form === 'mixed') return mixedFaults(asked);
  if (asked.form === 'steady') await steady(asked);
  return steadyReport(readRun(asked.samples));
}
