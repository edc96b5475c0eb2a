import { type EventTopic, engagement, readEvent, topicName } from '../../../topics/index.ts';
import { connect, type LogConnection } from '../../adapters/connect.ts';
import { type EventFormat, readEvents } from '../../adapters/event-file/event-file.ts';
import { type BadLine, type FeedProgress, feed as feedEvents } from '../../adapters/event-file/feeder.ts';
import { sizeOf } from '../../adapters/event-file/lines.ts';
import type { Config } from '../../config/resolve.ts';
import { FatalError, UsageError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Output } from '../output.ts';
import { count } from '../progress-line.ts';
import { withinTime } from '../within-time.ts';
import { describeFed, describeFeed } from './progress.ts';

export interface FeedOptions {
  /** Path, or `-` for stdin. */
  readonly file: string;
  /** Event topic, with or without the prefix. */
  readonly topic: string;
  /** By the file's name unless said. */
  readonly format?: EventFormat | undefined;
  readonly ratePerS?: number | undefined;
  readonly limit?: number | undefined;
  readonly raw: boolean;
  readonly json: boolean;
}

const ANSWER_MS = 30_000;
const SHOW_PROGRESS_MS = 1_000;
/** Bad lines shown one by one; the rest only by their reasons. */
const SHOWN_BAD_LINES = 20;

/**
 * Sends the events of a file to a topic. A signal stops the reading; what was read is still sent.
 * False when it was stopped, or when not one line held an event.
 */
export async function feed(config: Config, options: FeedOptions, log: Log, output: Output): Promise<boolean> {
  const topic = eventTopic(config, options);
  const name = topicName(config.topicPrefix, topic.name);
  const size = await sizeOf(options.file);
  const connection = await connect(config.kafka, (level, message) => log[level]({}, message));
  const sink = connection.sink();
  const stop = stopOnSignal();
  const bad = new BadLines(options.file, output);
  const total = { bytes: size, messages: options.limit };
  const start = Date.now();
  let progress: FeedProgress | undefined;
  const showing = setInterval(() => {
    if (progress) output.status(`${name}: ${describeFeed(progress, total, Date.now() - start)}`);
  }, SHOW_PROGRESS_MS);
  try {
    await checkTopic(connection, name);
    const result = await feedEvents({
      events: readEvents(options.file, { format: options.format, signal: stop.signal }),
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
      signal: stop.signal,
    });
    output.statusDone();
    bad.summarise();
    const stopped = stop.signal.aborted;
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
    stop.ignore();
    output.statusDone();
    await sink.stop();
    await connection.close();
  }
}

function eventTopic(config: Config, { topic: asked, format }: FeedOptions): EventTopic {
  const found = config.topics.find(
    ({ name }) => name === asked || topicName(config.topicPrefix, name) === asked,
  );
  if (found === undefined) {
    const known = config.topics.map(({ name }) => name).join(', ');
    throw new UsageError('topic', `--topic: expected one of ${known}, seen ${JSON.stringify(asked)}`);
  }
  if (format === 'higgs' && found.name !== engagement.name) {
    throw new UsageError(
      'topic',
      `--format higgs holds ${engagement.name} events; use --topic ${engagement.name}`,
    );
  }
  return found;
}

async function checkTopic(connection: LogConnection, name: string): Promise<void> {
  const asking = connection.admin().describe([name]);
  const [state] = await withinTime(asking, ANSWER_MS, `${name} at ${connection.describe}`);
  if (state === undefined) {
    throw new FatalError(
      'missing-topic',
      `there is no topic ${name} at ${connection.describe}; make it with: twhin topics apply`,
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

/** The first signal ends the reading, a second one the process. */
function stopOnSignal(): { readonly signal: AbortSignal; ignore(): void } {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: stop.signal,
    ignore: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
