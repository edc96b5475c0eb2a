import { UsageError } from '../src/errors/errors.ts';

/** What a person may ask of the demo. */
export interface DemoOptions {
  readonly embedded: boolean;
  readonly keep: boolean;
  readonly events: number;
  readonly seed: number;
  readonly help: boolean;
}

export const HELP = `npm run demo -- [options]

Feeds a made-up world of users in communities through a real Kafka broker, learns it live, and says what was learned.

  --events N   records to send (default 200000, about a minute)
  --seed S     another world (default 1)
  --embedded   no Kafka: the embedded file log
  --keep       leave broker and updaters running until Ctrl-C

Broker: KAFKA_BROKERS if set, else KAFKA_HOME, docker compose, or Apache Kafka's jars through Maven and Java 17,
whichever comes first; else the embedded file log.

Example:
  npm run demo -- --events 50000 --seed 7`;

/** @throws UsageError on anything unknown. */
export function readOptions(argv: readonly string[]): DemoOptions {
  const options = { embedded: false, keep: false, events: 200_000, seed: 1, help: false };
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = (argv[i] ?? '').split('=', 2);
    const number = (least: number): number => {
      const text = inline ?? argv[++i] ?? '';
      const value = Number(text);
      if (text !== '' && Number.isSafeInteger(value) && value >= least) return value;
      throw new UsageError(
        'demo',
        `${flag}: expected a whole number from ${least} on, seen "${text}"\n\n${HELP}`,
      );
    };
    if (flag === '--embedded') options.embedded = true;
    else if (flag === '--keep') options.keep = true;
    else if (flag === '--help' || flag === '-h') options.help = true;
    else if (flag === '--events') options.events = number(1000);
    else if (flag === '--seed') options.seed = number(0);
    else throw new UsageError('demo', `unknown option ${argv[i]}\n\n${HELP}`);
  }
  return options;
}
