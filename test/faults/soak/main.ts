import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { reasonOf } from '../../../src/errors/errors.ts';
import { mixedFaults } from './mixed.ts';
import { steady } from './steady.ts';

const HELP = `npm run soak -- [--minutes N] [--seed N] [--rate EVENTS] [--brokers N] [--out FILE]
  Mixed faults at random under load for a time; then everything is drained and verified.

npm run soak -- --steady [--minutes N] [--seed N] [--rate EVENTS] [--brokers N] [--out FILE] [--samples FILE]
  A steady load without faults. --samples FILE: every look at the process, a JSON object a line (soak.ndjson).

The report goes to stdout. Ends with 1 where something was not as it must be.

Example:
  npm run soak -- --steady --minutes 60 --rate 300`;

const MIB = 1024 * 1024;
/** What an hour's events and vectors take while they are compared with the store. */
const HEAP_MIB = 12_288;

/** What a soak is asked for. */
export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  readonly brokers: number;
}

if (process.argv.includes('--help')) {
  console.log(HELP);
  process.exit(0);
}
if (getHeapStatistics().heap_size_limit < HEAP_MIB * MIB) {
  const args = [`--max-old-space-size=${HEAP_MIB}`, ...process.argv.slice(1)];
  process.execve?.(process.execPath, [process.execPath, ...args], process.env);
}
const { options, isSteady, out, samples } = optionsOrEnd();
const { text, right } = await (isSteady ? steady(options, samples) : mixedFaults(options));
process.stdout.write(`${text}\n`);
if (out !== undefined) await writeFile(out, `${text}\n`);
process.exitCode = right ? 0 : 1;

function optionsOrEnd() {
  try {
    const { values } = parseArgs({
      options: {
        steady: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        rate: { type: 'string' },
        brokers: { type: 'string' },
        out: { type: 'string' },
        samples: { type: 'string', default: 'soak.ndjson' },
      },
    });
    const number = (name: 'minutes' | 'rate' | 'brokers' | 'seed', otherwise: number): number => {
      const value = Number(values[name] ?? otherwise);
      if (!(value > 0)) throw new Error(`--${name}: expected a number above 0, seen ${values[name]}`);
      return value;
    };
    const options: SoakOptions = {
      minutes: number('minutes', values.steady ? 60 : 20),
      rate: number('rate', values.steady ? 300 : 200),
      brokers: number('brokers', values.steady ? 1 : 3),
      seed: number('seed', 1),
    };
    return { options, isSteady: values.steady, out: values.out, samples: values.samples };
  } catch (error) {
    console.error(`${reasonOf(error)}\n\n${HELP}`);
    process.exit(2);
  }
}
