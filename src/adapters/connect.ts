import { resolve } from 'node:path';
import type { LogAdmin, LogReader, Sink, Source } from '../pipeline/ports.ts';
import { FileLogAdmin } from './file-log/admin.ts';
import { FileLogReader } from './file-log/reader.ts';
import { FileLogSink } from './file-log/sink.ts';
import { FileLogSource } from './file-log/source.ts';
import { KafkaAdmin } from './kafka/admin.ts';
import type { KafkaSettings, LogLine } from './kafka/client.ts';
import { KafkaSource, type SourceOptions } from './kafka/group/source.ts';
import { KafkaSink, type SinkOptions } from './kafka/producer/sink.ts';
import { KafkaReader, type ReaderOptions } from './kafka/reader/reader.ts';
import { endSockets } from './kafka/sockets.ts';

/** A log of topics, whatever keeps it. */
export interface Log {
  /** The address as a person reads it. */
  readonly describe: string;
  source(options: SourceOptions): Source;
  sink(options?: SinkOptions): Sink;
  /** Closed by who made it. */
  reader(options?: ReaderOptions): LogReader;
  /** One for all who ask; `close` closes it. */
  admin(): LogAdmin;
  /** For when its sources and sinks are stopped, each by who made it: ends what they left open. Idempotent. */
  close(): Promise<void>;
}

const FILE_SCHEME = 'file:';

/** The log at `settings.brokers`: Kafka at host:port, or the embedded file log at `file:DIR`. Nothing is opened yet. */
export function connect(settings: KafkaSettings, log: LogLine = () => undefined): Log {
  const first = settings.brokers[0] ?? '';
  if (first.startsWith(FILE_SCHEME)) {
    const dir = resolve(first.slice(FILE_SCHEME.length));
    const admin = new FileLogAdmin(dir);
    return {
      describe: `the embedded file log in ${dir}`,
      source: ({ topics }) => new FileLogSource(dir, topics),
      sink: () => new FileLogSink(dir),
      reader: () => new FileLogReader(dir),
      admin: () => admin,
      close: () => admin.close(),
    };
  }
  let admin: KafkaAdmin | undefined;
  return {
    describe: `Kafka at ${settings.brokers.join(',')}`,
    source: (options) => new KafkaSource(settings, options, log),
    sink: (options = {}) => new KafkaSink(settings, options, log),
    reader: (options = {}) => new KafkaReader(settings, options, log),
    admin: () => {
      admin ??= new KafkaAdmin(settings, log);
      return admin;
    },
    close: async () => {
      await admin?.close();
      endSockets(settings);
    },
  };
}
