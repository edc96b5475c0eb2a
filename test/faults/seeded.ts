import { test } from 'vitest';
import { lastWords } from './deployment.ts';
import { Dice } from './dice.ts';

/** The long form: three brokers, more cycles, longer outages. `npm run faults` asks for it. */
export const LONG = process.env['FAULTS'] === 'long';

const GIVEN = process.env['FAULTS_SEED'];

/** One of two values, by the form. */
export function form<T>(short: T, long: T): T {
  return LONG ? long : short;
}

export interface SeededContext {
  readonly dice: Dice;
  /** Ends the test as skipped, saying why. */
  skip(reason: string): void;
}

/**
 * A test whose chance comes from one seed, which is printed. The short form has the same every time, the long one
 * another each time; FAULTS_SEED gives one.
 */
export function seeded(name: string, body: (context: SeededContext) => Promise<void>, limitMs: number): void {
  test(name, { timeout: limitMs }, async ({ skip, onTestFailed }) => {
    const seed = GIVEN === undefined ? (LONG ? Date.now() % 1_000_000 : 1) : Number(GIVEN);
    process.stderr.write(`${name}: seed ${seed}\n`);
    onTestFailed(() => {
      process.stderr.write(`${lastWords()}\n`);
    });
    try {
      await body({ dice: new Dice(seed), skip: (reason) => skip(reason) });
    } catch (error) {
      if (error instanceof Error) {
        const again = LONG ? 'npm run faults --' : 'npm test -- --project faults';
        error.message += `\nthe same again: FAULTS_SEED=${seed} ${again} -t '${name.replaceAll("'", '.')}'`;
      }
      throw error;
    }
  });
}
