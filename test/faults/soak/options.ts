import { parseArgs } from 'node:util';

/** What a soak is told on the command line. */
export type SoakOptions = MixedOptions | SteadyOptions | RemadeOptions;

/** Mixed faults at random. */
export interface MixedOptions {
  readonly form: 'mixed';
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  readonly brokers: number;
  readonly out: string | undefined;
}

/** A steady load without faults. */
export interface SteadyOptions {
  readonly form: 'steady';
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  readonly brokers: number;
  readonly out: string | undefined;
  /** File that samples are written to as they come, a JSON object a line. */
  readonly samples: string;
  /** The population is as many times the usual one. */
  readonly scale: number;
  /** Without a browser. */
  readonly alone: boolean;
  /** The updater's garbage is collected once a minute, so that what it holds is known. */
  readonly collect: boolean;
}

/** The report of a steady run that was, or still is: from its samples. */
export interface RemadeOptions {
  readonly form: 'remade';
  readonly samples: string;
  readonly out: string | undefined;
}

export const HELP = `npm run soak -- [--minutes N] [--seed N] [--rate EVENTS] [--brokers N] [--out FILE]
  Mixed faults at random under load for a time; then everything is drained and verified.

npm run soak -- --steady [--minutes N] [--seed N] [--rate EVENTS] [--brokers N] [--samples FILE] [--out FILE]
  A steady load without faults, the dashboard open all the time.
  --collect       asks the updater for a collection once a minute, so that what its heap holds is known
  --scale N       a population N times as large
  --alone         without the browser
  --samples FILE  where samples go as they come (soak.ndjson)

npm run soak -- --report-of FILE [--out FILE]
  The report of those samples, also while they are still being taken.

The report goes to stdout. Ends with 1 where something was not as it must be.

Example:
  npm run soak -- --steady --minutes 60 --rate 300`;

const DEFAULTS = {
  mixed: { minutes: 20, rate: 200, brokers: 3 },
  steady: { minutes: 60, rate: 300, brokers: 1 },
} as const;

/** @throws Error naming the option, the value seen and what was expected. */
export function readOptions(args: readonly string[], now: number): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      steady: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      rate: { type: 'string' },
      brokers: { type: 'string' },
      out: { type: 'string' },
      samples: { type: 'string' },
      scale: { type: 'string' },
      alone: { type: 'boolean', default: false },
      collect: { type: 'boolean', default: false },
      'report-of': { type: 'string' },
    },
  });
  const { out } = values;
  const remade = values['report-of'];
  if (remade !== undefined) return { form: 'remade', samples: remade, out };
  const form = values.steady ? 'steady' : 'mixed';
  const number = (name: keyof (typeof DEFAULTS)['mixed'] | 'scale', otherwise: number) => {
    const text = values[name];
    const value = text === undefined ? otherwise : Number(text);
    if (!(value > 0)) throw new Error(`--${name}: expected a number above 0, seen ${text}`);
    return value;
  };
  const common = {
    minutes: number('minutes', DEFAULTS[form].minutes),
    seed: values.seed === undefined ? now % 1_000_000 : Number(values.seed),
    rate: number('rate', DEFAULTS[form].rate),
    brokers: number('brokers', DEFAULTS[form].brokers),
    out,
  };
  if (form === 'steady') {
    const { samples = 'soak.ndjson', alone, collect } = values;
    return { form, ...common, samples, scale: number('scale', 1), alone, collect };
  }
  const wrong = (['samples', 'scale', 'alone', 'collect'] as const).find((name) => values[name]);
  if (wrong !== undefined) throw new Error(`--${wrong}: is for --steady alone`);
  return { form, ...common };
}
