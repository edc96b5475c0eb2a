import type { Command } from 'commander';
import { type EventTopic, fullName, readEvent } from '../../topics/index.ts';
import type { LogConnection } from '../adapters/connect.ts';
import { readEvents } from '../adapters/event-file/event-file.ts';
import {
  type BadLine,
  type FeedOptions as FeederOptions,
  type FeedProgress,
  feed as feedEvents,
} from '../adapters/event-file/feeder.ts';
import type { Config } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import type { CommandContext } from './context.ts';
import { count, duration } from './format.ts';
import { example, JSON_HELP, positiveInteger, positiveNumber } from './options.ts';
import { topicAfter } from './select.ts';

interface FeedOptions {
  /** Event topic, by its name in the configuration or by its full name. */
  readonly topic: string;
  /** Events a second. */
  readonly rate?: number;
  readonly limit?: number;
  readonly raw?: boolean;
  readonly json?: boolean;
}

/** This many bad lines are shown; the rest are counted by reason. */
const SHOWN_BAD_LINES = 20;

export function addFeedCommand(command: Command, context: CommandContext): void {
  command
    .description('check the events of a file, one JSON object on each line, and send them to a topic')
    .argument('<file>', 'path of a file, plain or gzip, or - for stdin')
    .requiredOption('--topic <name>', 'event topic, such as engagement')
    .option('--rate <events>', 'send at most this many events a second', positiveNumber)
    .option('--limit <n>', 'stop after this many events', positiveInteger)
    .option('--raw', 'send bad lines too, unchanged')
    .option('--json', JSON_HELP)
    .addHelpText('after', example(EXAMPLES))
    .action((file: string, options: FeedOptions) => feed(file, options, context));
}

const EXAMPLES = `twhin feed events.ndjson.gz --topic engagement
zcat follows.ndjson.gz | twhin feed - --topic follow --rate 5000`;

/** Sends a file or stdin. After a signal, events that were read are still sent. It fails when stopped, or without any event. */
async function feed(
  file: string,
  options: FeedOptions,
  { ask, config: load, connect, fail, output, stopping, tell }: CommandContext,
): Promise<void> {
  const config = await load();
  const topic = topicAfter('--topic', config.topicPrefix, config.topics, options.topic);
  const name = fullName(config.topicPrefix, topic);
  await using connection = await connect(config);
  await using sink = connection.sink();
  const start = Date.now();
  const reasons: Record<string, number> = {};
  let shown = 0;
  const onBad = ({ line, problem: { code, message } }: BadLine) => {
    reasons[code] = (reasons[code] ?? 0) + 1;
    if (++shown > SHOWN_BAD_LINES) return;
    output.err(`${file === '-' ? 'stdin' : file}:${line}: ${code}: ${message}`);
  };
  await checkTopic(connection, name, topic, ask);
  const { sent, bad, line } = await feedFile(file, topic, config, {
    sink,
    raw: options.raw,
    ratePerS: options.rate,
    limit: options.limit,
    onProgress: (now) => tell(describeFed(now, name, Date.now() - start)),
    onBad,
    signal: stopping,
  });
  const counts = Object.entries(reasons).map(([code, times]) => `${code} ${count(times)}`);
  if (bad > SHOWN_BAD_LINES) output.err(`${count(bad)} bad lines in all: ${counts.join(', ')}`);
  const stopped = stopping.aborted;
  if (options.json) output.out(JSON.stringify({ topic: name, sent, bad, reasons, line, stopped }));
  else output.out(describeFed({ sent, bad }, name, Date.now() - start));
  if (stopped && !options.json) output.err(`stopped after line ${line}`);
  if (stopped || (sent === 0 && bad > 0)) fail();
}

/** Sends the lines of a file, or with `-` of stdin, as events of a topic. */
export function feedFile(
  file: string,
  topic: EventTopic,
  { topicPrefix, limits }: Config,
  options: Omit<FeederOptions, 'events' | 'keyOf' | 'topicName'> & { readonly signal: AbortSignal },
): Promise<FeedProgress> {
  return feedEvents({
    ...options,
    events: readEvents(file, options),
    keyOf: (value, timestamp) => readEvent(topic, { value, timestamp }, limits).key,
    topicName: fullName(topicPrefix, topic),
  });
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

function describeFed(
  { sent, bad }: Pick<FeedProgress, 'sent' | 'bad'>,
  topic: string,
  elapsedMs: number,
): string {
  const perSecond = elapsedMs > 0 ? (sent * 1000) / elapsedMs : 0;
  return (
    `${count(sent)} events sent to ${topic} in ${duration(elapsedMs)} ` +
    `(${count(perSecond)}/s); ${count(bad)} bad line${bad === 1 ? '' : 's'}`
  );
}
