import { join } from 'node:path';
import { fullName, readEvent } from '../../../topics/index.ts';
import type { LogConnection } from '../../adapters/connect.ts';
import { readEvents } from '../../adapters/event-file/event-file.ts';
import { feed } from '../../adapters/event-file/feeder.ts';
import { UsageError } from '../../errors/errors.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import type { StreamRequest } from './request.ts';

/**
 * The log that is evaluated: the configured one or, with a file, an embedded one in `folder` that holds the lines of
 * the file in one partition, so that their order stays. Closed by the caller.
 * @throws UsageError where the file holds no line.
 */
export async function openEventLog(
  { topics, fileTopic, options: { file }, current: { config } }: StreamRequest,
  folder: string,
  { connect, output, stopping }: Pick<CommandContext, 'connect' | 'output' | 'stopping'>,
): Promise<LogConnection> {
  if (file === undefined || fileTopic === undefined) return connect(config);
  const kafka = { ...config.kafka, brokers: [`file:${join(folder, 'log')}`] };
  await using opened = new AsyncDisposableStack();
  const connection = opened.use(await connect({ kafka }));
  await using sink = connection.sink();
  await connection.admin().create(topics.map((name) => ({ name, partitions: 1, configs: {} })));
  const { sent } = await feed({
    events: readEvents(file, { signal: stopping }),
    keyOf: (value, timestamp) => readEvent(fileTopic, { value, timestamp }, config.limits).key,
    sink,
    topicName: fullName(config.topicPrefix, fileTopic),
    // A line that is no event is reported as a record that can't be used, as where topics are read.
    raw: true,
    onProgress: ({ sent }) => output.status(`${file}: ${count(sent)} events read`),
    onBad: ({ line, problem }) => {
      if (problem.code === 'too-large') output.err(`${file}:${line}: ${problem.message}`);
    },
    signal: stopping,
  });
  if (sent === 0 && !stopping.aborted) throw new UsageError(`${file} holds no event; nothing was trained`);
  opened.move();
  return connection;
}
