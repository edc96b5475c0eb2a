import { type Command, Option } from 'commander';
import { type EventTopic, engagement, fullName, readEvent, topicNamed } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import { EVENT_FORMATS, type EventFormat, readEvents } from '../adapters/event-file/event-file.ts';
import { type BadLine, type FeedProgress, feed as feedEvents } from '../adapters/event-file/feeder.ts';
import { sizeOf } from '../adapters/event-file/lines.ts';
import type { Config } from '../config/resolve.ts';
import { FatalError, UsageError } from '../errors/errors.ts';
import type { CommandContext } from './context.ts';
import { count, duration } from './format.ts';
import { example, JSON_HELP, positiveInteger, positiveNumber } from './options.ts';
import type { Output } from './output.ts';

export interface FeedOptions {
  /** Path, or `-` for stdin. */
  readonly file: string;
  /** Event topic, by its name in the configuration or by its full name. */
  readonly topic: string;
  /** Taken from the name of the file if not given. */
  readonly format?: EventFormat | undefined;
  readonly ratePerS?: number | undefined;
  readonly limit?: number | undefined;
  readonly raw: boolean;
  readonly json: boolean;
}

const SHOW_PROGRESS_MS = 1_000;
/** This many bad lines are shown; the rest are counted by reason. */
const SHOWN_BAD_LINES = 20;

/** Puts `twhin feed` on the command line. */
export function addFeedCommand(program: Command, context: CommandContext): void {
  program
    .command('feed')
    .description('check the events of a file and send them to a topic')
    .argument('<file>', 'path of a file, plain or gzip, or - for stdin')
    .requiredOption('--topic <name>', 'event topic, such as engagement')
    .addOption(
      new Option(
        '--format <format>',
        'format of the file; if not given, csv for .csv and ndjson for every other name',
      ).choices(EVENT_FORMATS),
    )
    .option('--rate <events>', 'send at most this many events a second', positiveNumber)
    .option('--limit <n>', 'stop after this many events', positiveInteger)
    .option('--raw', 'send bad lines too, unchanged')
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES))
    .action(async (file, { topic, format, rate, limit, raw, json }) => {
      const options = { file, topic, format, ratePerS: rate, limit, raw: raw === true, json: json === true };
      if (!(await feed(await context.config(), options, context))) context.fail();
    });
}

const EXAMPLES = `twhin feed events.ndjson.gz --topic engagement
zcat follows.csv.gz | twhin feed - --topic follow --format csv --rate 5000`;

/**
 * Sends the events of a file to a topic. A signal stops the reading; events that were read are still sent.
 * Gives false when it was stopped, or when no line held an event.
 */
export async function feed(
  config: Config,
  options: FeedOptions,
  { ask, connect, output, stopping }: Pick<CommandContext, 'ask' | 'connect' | 'output' | 'stopping'>,
): Promise<boolean> {
  const topic = eventTopic(config, options);
  const name = fullName(config.topicPrefix, topic);
  const size = await sizeOf(options.file);
  await using connection = await connect(config);
  await using sink = connection.sink();
  const bad = new BadLines(options.file, output);
  const total = { bytes: size, messages: options.limit };
  const start = Date.now();
  let progress: FeedProgress | undefined;
  const showing = setInterval(() => {
    if (progress) output.status(`${name}: ${describeFeed(progress, total, Date.now() - start)}`);
  }, SHOW_PROGRESS_MS);
  try {
    await checkTopic(connection, name, topic, ask);
    const result = await feedEvents({
      events: readEvents(options.file, { format: options.format, signal: stopping }),
      keyOf: (value, timestamp) => readEvent(topic, { value, timestamp }, config.limits).key,
      sink,
      topicName: name,
      raw: options.raw,
      ratePerS: options.ratePerS,
      limit: options.limit,
      onProgress: (now) => {
        progress = now;
      },
      onBad: (line) => bad.add(line),
      signal: stopping,
    });
    output.statusDone();
    bad.summarise();
    const stopped = stopping.aborted;
    if (options.json) {
      const { sent, line } = result;
      output.out(JSON.stringify({ topic: name, sent, bad: result.bad, reasons: bad.reasons, line, stopped }));
    } else {
      output.out(describeFed(result, name, Date.now() - start));
      if (stopped) output.err(`stopped after line ${result.line}`);
    }
    return !stopped && (result.sent > 0 || result.bad === 0);
  } finally {
    clearInterval(showing);
    output.statusDone();
  }
}

function eventTopic(config: Config, { topic: asked, format }: FeedOptions): EventTopic {
  const found = topicNamed(config.topicPrefix, config.topics, asked);
  if (found === undefined) {
    const known = config.topics.map(({ name }) => name).join(', ');
    throw new UsageError(`--topic: expected one of ${known}, seen ${JSON.stringify(asked)}`);
  }
  if (format === 'higgs' && found.name !== engagement.name) {
    throw new UsageError(`--format higgs holds ${engagement.name} events; use --topic ${engagement.name}`);
  }
  return found;
}

async function checkTopic(
  connection: LogConnection,
  name: string,
  { topic }: EventTopic,
  ask: CommandContext['ask'],
): Promise<void> {
  const asking = connection.admin().missing([name]);
  const missing = await ask(asking, `${name} at ${connection.describe}`);
  if (missing.length > 0) {
    throw new FatalError(
      'topics-missing',
      `there is no topic ${name} at ${connection.describe}; create it with: twhin topics apply${topic === undefined ? '' : ` --create ${topic}`}`,
    );
  }
}

/** Shows the first bad lines and counts all of them by reason. */
class BadLines {
  readonly #file: string;
  readonly #output: Output;
  readonly reasons: Record<string, number> = {};
  #count = 0;

  constructor(file: string, output: Output) {
    this.#file = file === '-' ? 'stdin' : file;
    this.#output = output;
  }

  add({ line, problem }: BadLine): void {
    this.reasons[problem.code] = (this.reasons[problem.code] ?? 0) + 1;
    this.#count++;
    if (this.#count > SHOWN_BAD_LINES) return;
    this.#output.statusDone();
    this.#output.err(`${this.#file}:${line}: ${problem.code}: ${problem.message}`);
  }

  summarise(): void {
    if (this.#count <= SHOWN_BAD_LINES) return;
    const reasons = Object.entries(this.reasons).map(([code, times]) => `${code} ${count(times)}`);
    this.#output.err(`${count(this.#count)} bad lines in all: ${reasons.join(', ')}`);
  }
}

/** Size of the whole, as far as it is known. Without both figures no remaining time is shown. */
export interface FeedTotal {
  /** Size of the file on the disk. */
  readonly bytes: number | undefined;
  /** Messages after which the feeding stops. */
  readonly messages: number | undefined;
}

/** Progress of the feeding in a few words. elapsedMs: since its start. */
export function describeFeed(progress: FeedProgress, total: FeedTotal, elapsedMs: number): string {
  const { sent, bad } = progress;
  const share = shareOf(progress, total);
  const parts = [`${count(sent)} sent`, `${count(perSecond(sent, elapsedMs))} events/s`];
  if (bad > 0) parts.push(`${count(bad)} bad`);
  if (share !== undefined) parts.push(`${Math.floor(share * 100)} %`);
  if (share !== undefined && share > 0) {
    parts.push(`${duration((elapsedMs * (1 - share)) / share)} to go`);
  }
  return parts.join(', ');
}

/** The result in a line. */
export function describeFed(progress: FeedProgress, topic: string, elapsedMs: number): string {
  const { sent, bad } = progress;
  return (
    `${count(sent)} events sent to ${topic} in ${duration(elapsedMs)} ` +
    `(${count(perSecond(sent, elapsedMs))}/s); ${count(bad)} bad line${bad === 1 ? '' : 's'}`
  );
}

function shareOf({ sent, bytesRead }: FeedProgress, total: FeedTotal): number | undefined {
  const shares: number[] = [];
  if (total.bytes !== undefined && total.bytes > 0) shares.push(bytesRead / total.bytes);
  if (total.messages !== undefined && total.messages > 0) shares.push(sent / total.messages);
  return shares.length === 0 ? undefined : Math.min(1, Math.max(...shares));
}

function perSecond(sent: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (sent * 1000) / elapsedMs : 0;
}
