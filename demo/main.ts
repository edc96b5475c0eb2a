import { dirname } from 'node:path';
import { connect } from '../src/adapters/connect.ts';
import { report, terminal } from '../src/cli/output.ts';
import { loadConfig } from '../src/config/load.ts';
import { UsageError } from '../src/errors/errors.ts';
import { parseEntityKey } from '../src/graph/entity.ts';
import { DemoMeter } from './meter.ts';
import { findPlace } from './place.ts';
import { reportLines } from './report.ts';
import { DemoServing } from './serving.ts';
import { Session } from './session.ts';
import { findInLists, findPlanted, type ListFindings, plantedIn } from './truth.ts';
import { type DemoPhase, LiveView } from './view.ts';
import { createWorld, type Truth } from './world.ts';

const SHOW_MS = 500;
const SAME_SIGNAL_MS = 300;
/** Entities of a list that the report looks at. */
const LISTED = 10;

/** The demo's command line. */
interface DemoOptions {
  readonly embedded: boolean;
  readonly keep: boolean;
  readonly events: number;
  readonly seed: number;
  readonly help: boolean;
}

const HELP = `npm run demo -- [options]

Sends the events of a made-up world of users in communities through a real Kafka broker, trains on them live, and
reports how well the vectors and the lists made of them show the communities.

  --events N   records to send (default 200000, about a minute)
  --seed S     seed of the world (default 1)
  --embedded   use the embedded file log instead of Kafka
  --keep       leave broker and updaters running until Ctrl-C

The broker is the first of: KAFKA_BROKERS, KAFKA_HOME, docker compose, Apache Kafka's jars through Maven and Java 17.
Without any of these the demo uses the embedded file log.

Example:
  npm run demo -- --events 50000 --seed 7`;

/** Runs the demo from its start to its report; resolves to the exit code. */
async function demo(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options.help) {
    terminal.out(HELP);
    return 0;
  }
  const root = dirname(import.meta.dirname);
  process.chdir(root);
  const view = new LiveView(process.stdout);
  const stopping = new AbortController();
  const start = performance.now();
  let signalled = 0;
  const onSignal = () => {
    // A signal to the process group can arrive twice: directly and from the parent.
    if (stopping.signal.aborted && performance.now() - signalled < SAME_SIGNAL_MS) return;
    if (stopping.signal.aborted) process.exit(130);
    signalled = performance.now();
    view.say('Stopping; Ctrl-C again ends at once.');
    stopping.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  const place = await findPlace(root, options, (line) => view.say(line));
  const config = await loadConfig({ ...process.env, ...place.env }, root);
  const connection = await connect(config.kafka);
  const session = new Session(place, config, connection);
  let serving: DemoServing | undefined;
  try {
    const world = createWorld({ seed: options.seed, events: options.events });
    const meter = new DemoMeter(options.events, start);
    let phase: DemoPhase = 'starting';
    const show = () => view.show(meter.progress(phase, session.fed.total, session.updaters));
    const showing = setInterval(show, SHOW_MS);
    try {
      view.say(`On ${place.log}.`);
      const groupsOf = (entity: string) => plantedIn(world.truth, entity);
      await session.begin((entity) => groupsOf(entity)[0]);
      if (session.url !== undefined) view.say(`Dashboard: ${session.url}`);
      if (config.http !== 'off') {
        serving = await DemoServing.begin({
          config,
          connection,
          groupsOf,
          ...(config.http?.port === 0 && { port: 0 }),
        });
        view.say(`Lists, made live: ${serving.url}`);
      }
      phase = 'feeding';
      await session.feed(world.events, stopping.signal);
      phase = 'catching up';
      await session.catchUp(stopping.signal);
      if (stopping.signal.aborted) return 130;
      phase = 'publishing';
      if (options.keep) await session.published();
      else await session.end();
      phase = 'looking';
      show();
      const findings = await session.lookAt((vectors) => findPlanted(vectors, world.truth));
      const lists = serving === undefined ? [] : await findLists(serving, world.truth);
      clearInterval(showing);
      const lines = reportLines({
        log: place.log,
        seed: options.seed,
        elapsedMs: performance.now() - start,
        fed: session.fed.total,
        rejected: await session.rejected(),
        topicPrefix: place.env.TWHIN_TOPIC_PREFIX,
        truth: world.truth,
        graphs: meter.progress(phase, session.fed.total, session.updaters).graphs,
        findings,
        lists,
        page: serving?.url,
        environment: Object.entries(place.env).map(([name, value]) => `${name}=${value}`),
        kept: options.keep,
      });
      for (const line of lines) terminal.out(line);
      if (options.keep) await untilAborted(stopping.signal);
      return 0;
    } finally {
      clearInterval(showing);
    }
  } finally {
    await serving?.stop();
    await session.end();
    await place.stop();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** The lists of home and who-to-follow, once all vectors are read. */
async function findLists(serving: DemoServing, truth: Truth): Promise<ListFindings[]> {
  await serving.upToDate();
  const look = (surface: 'home' | 'who-to-follow', type: 'tweet' | 'user') =>
    findInLists(surface, type, truth, (user) => serving.lists(surface, parseEntityKey(user), LISTED));
  return [await look('home', 'tweet'), await look('who-to-follow', 'user')];
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** @throws UsageError for an unknown option or a wrong number. */
function readOptions(argv: readonly string[]): DemoOptions {
  const options = { embedded: false, keep: false, events: 200_000, seed: 1, help: false };
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = (argv[i] ?? '').split('=', 2);
    const number = (least: number): number => {
      const text = inline ?? argv[++i] ?? '';
      const value = Number(text);
      if (text !== '' && Number.isSafeInteger(value) && value >= least) return value;
      throw new UsageError(
        `${flag}: expected a whole number of at least ${least}, seen "${text}"\n\n${HELP}`,
      );
    };
    if (flag === '--embedded') options.embedded = true;
    else if (flag === '--keep') options.keep = true;
    else if (flag === '--help' || flag === '-h') options.help = true;
    else if (flag === '--events') options.events = number(1000);
    else if (flag === '--seed') options.seed = number(0);
    else throw new UsageError(`unknown option ${argv[i]}\n\n${HELP}`);
  }
  return options;
}

process.exitCode = await demo(process.argv.slice(2)).catch((error: unknown) =>
  report(error, false, terminal),
);
