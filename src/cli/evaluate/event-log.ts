import { join } from 'node:path';
import { fullName, readEvent } from '../../../topics/index.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { readEvents } from '../../adapters/event-file/event-file.ts';
import { type BadLine, feed } from '../../adapters/event-file/feeder.ts';
import { UsageError } from '../../errors/errors.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import type { StreamRequest } from './request.ts';

/** Bad lines that a message names. */
const NAMED_LINES = 5;

/**
 * The log that is evaluated: the configured one or, with a file, an embedded one in `folder` that holds the events of
 * the file in one partition, so that their order stays. Closed by the caller.
 * @throws UsageError naming the lines that hold no event; nothing is trained then.
 */
export async function openEventLog(
  request: StreamRequest,
  folder: string,
  { connect, output, stopping }: Pick<CommandContext, 'connect' | 'output' | 'stopping'>,
): Promise<LogConnection> {
  const { topics, fileTopic, options } = request;
  const { config } = request.current;
  const { file } = options;
  if (file === undefined || fileTopic === undefined) return connect(config);
  const settings = { ...config.kafka, brokers: [`file:${join(folder, 'log')}`] };
  await using opened = new AsyncDisposableStack();
  const connection = opened.use(await connect({ kafka: settings }));
  const bad: BadLine[] = [];
  try {
    await using sink = connection.sink();
    await connection.admin().create(topics.map((name) => ({ name, partitions: 1, configs: {} })));
    const fed = await feed({
      events: readEvents(file, { signal: stopping }),
      keyOf: (value, timestamp) => readEvent(fileTopic, { value, timestamp }, config.limits).key,
      sink,
      topicName: fullName(config.topicPrefix, fileTopic),
      onProgress: ({ sent }) => output.status(`${file}: ${count(sent)} events read`),
      onBad: (line) => {
        if (bad.length < NAMED_LINES) bad.push(line);
      },
      signal: stopping,
    });
    if (fed.bad > 0) {
      const lines = bad.map(({ line, problem }) => `  ${file}:${line}: ${problem.code}: ${problem.message}`);
      const more = fed.bad > lines.length ? [`  and ${count(fed.bad - lines.length)} lines more`] : [];
      throw new UsageError(
        `${count(fed.bad)} of the lines hold no ${fileTopic.name} event; nothing was trained:\n${[...lines, ...more].join('\n')}`,
      );
    }
    if (fed.sent === 0 && !stopping.aborted)
      throw new UsageError(`${file} holds no event; nothing was trained`);
  } finally {
    output.statusDone();
  }
  opened.move();
  return connection;
}
