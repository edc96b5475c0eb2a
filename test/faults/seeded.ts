import { inject, test } from 'vitest';
import { type DeployOptions, Faulty, lastWords } from './deployment.ts';
import { Dice } from './dice.ts';
import type { LoadOptions } from './load/load.ts';
import { Proxies } from './proxy.ts';
import { Sharded } from './sharded.ts';

/**
 * How much of the faults is made. `npm test` runs the first form: the files that `vitest.config.ts` names, one case of each
 * fault, as short as shows it. With CI=true it runs the short form: every case of every file, on one broker. `npm run faults`
 * runs the long form: three brokers, more cycles, longer outages.
 */
const FORM = process.env['FAULTS'] ?? 'first';

export const LONG = FORM === 'long';

const GIVEN = process.env['FAULTS_SEED'];
const LIMIT_MS = LONG ? 1_800_000 : 600_000;
const AGAIN = LONG ? 'npm run faults --' : FORM === 'short' ? 'CI=true npm test --' : 'npm test --';

/** One of the values, by the form; the first form takes the short one's unless it has its own. */
export function form<T>(short: T, long: T, first: T = short): T {
  if (LONG) return long;
  return FORM === 'short' ? short : first;
}

/** A proxy, a kill and a short session need brokers that were started here. */
const NOT_STARTED = 'the tests have started no broker: set no KAFKA_BROKERS, and install Java 17 and Maven';

export interface SeededContext {
  readonly dice: Dice;
  /** A deployment on the suite's brokers, unless others are given. It is removed once the test is over. */
  deploy(options?: Partial<DeployOptions>): Promise<Faulty>;
  /** Likewise, in shards. */
  deployShards(shards: number, load: LoadOptions): Promise<Sharded>;
  /** Proxies before the suite's brokers, closed once the test is over. */
  proxies(): Promise<Proxies>;
  /** Ends the test as skipped, saying why. */
  skip(reason: string): void;
}

/**
 * A test, in every form, whose chance comes from one seed, which a failure names. The long form has another seed each time,
 * the others the same every time; FAULTS_SEED gives one.
 */
export function seeded(name: string, body: (context: SeededContext) => Promise<void>): void {
  const [brokers, fronts] = [inject('brokers'), inject('fronts')];
  const started = fronts.length > 0;
  test.skipIf(!started && process.env['CI'] !== 'true')(
    name,
    { timeout: LIMIT_MS },
    async ({ skip, onTestFailed, onTestFinished }) => {
      const seed = GIVEN === undefined ? (LONG ? Date.now() % 1_000_000 : 1) : Number(GIVEN);
      if (!started) throw new Error(NOT_STARTED);
      onTestFailed(() => {
        process.stderr.write(`${lastWords()}\n`);
      });
      const kept = async <T extends { remove(): Promise<void> }>(made: Promise<T>): Promise<T> => {
        const deployment = await made;
        onTestFinished(() => deployment.remove());
        return deployment;
      };
      const dice = new Dice(seed);
      try {
        await body({
          dice,
          deploy: (options) => kept(Faulty.deploy({ brokers, dice, ...options })),
          deployShards: (shards, load) => kept(Sharded.deploy({ brokers, dice, shards, load })),
          proxies: () => kept(Proxies.before(fronts)),
          skip: (reason) => skip(reason),
        });
      } catch (error) {
        if (error instanceof Error) {
          error.message += `\nthe same again: FAULTS_SEED=${seed} ${AGAIN} test/faults -t '${name.replaceAll("'", '.')}'`;
        }
        throw error;
      }
    },
  );
}

/** A seeded test of the short and the long form, in a file of which the first form runs another case. */
export function furtherCase(...args: Parameters<typeof seeded>): void {
  if (FORM !== 'first') seeded(...args);
}

/** A seeded test of the long form alone: it takes several brokers, or measures. */
export function longCase(...args: Parameters<typeof seeded>): void {
  if (LONG) seeded(...args);
}
