import { resolve } from 'node:path';
import type { EventLog, Leadership, LogAdmin, Shares, Sink } from '../pipeline/ports.ts';
import { FileLog, FileLogSink, fileLogAdmin } from './file-log/file-log.ts';
import type { LeadershipOptions } from './kafka/group/leadership.ts';
import type { GroupOptions } from './kafka/group/member.ts';
import type { SinkOptions } from './kafka/producer/sink.ts';
import type { LogOptions } from './kafka/reader/log.ts';
import type { KafkaSettings, LogLine } from './kafka/settings.ts';

/** A log of topics, whatever keeps it. The caller disposes of its readers and sinks. */
export interface LogConnection extends AsyncDisposable {
  /** The address as a person reads it. */
  readonly describe: string;
  /** Whether no record is ever removed, whatever the settings of its topic say. */
  readonly keepsAll: boolean;
  log(options?: LogOptions): EventLog & AsyncDisposable;
  /** undefined where the log has no groups: the lock of a store alone keeps a second writer away. */
  leadership(options: LeadershipOptions): Leadership | undefined;
  /** undefined where the log has no groups: then all partitions are one process's. */
  shares(options: GroupOptions): Shares | undefined;
  sink(options?: SinkOptions): Sink & AsyncDisposable;
  /** One for all who ask; `close` closes it. */
  admin(): LogAdmin;
  /** Idempotent. */
  close(): Promise<void>;
}

const FILE_SCHEME = 'file:';

/** Kafka at host:port, or the embedded log at `file:DIR`; nothing is opened yet. The Kafka client takes half a second and 60 MB to load. */
export async function connect(
  settings: KafkaSettings,
  log: LogLine = () => undefined,
): Promise<LogConnection> {
  const first = settings.brokers[0] ?? '';
  if (first.startsWith(FILE_SCHEME)) {
    const dir = resolve(first.slice(FILE_SCHEME.length));
    const admin = fileLogAdmin(dir);
    return {
      describe: `the embedded file log in ${dir}`,
      keepsAll: true,
      log: () => new FileLog(dir),
      leadership: () => undefined,
      shares: () => undefined,
      sink: () => new FileLogSink(dir),
      admin: () => admin,
      close: () => admin.close(),
      [Symbol.asyncDispose]: () => admin.close(),
    };
  }
  const { KafkaAdmin, KafkaLeadership, KafkaLog, KafkaShares, KafkaSink } = await import('./kafka/kafka.ts');
  const admin = new KafkaAdmin(settings);
  return {
    describe: `Kafka at ${settings.brokers.join(',')}`,
    keepsAll: false,
    log: (options = {}) => new KafkaLog(settings, options, log),
    leadership: (options) => new KafkaLeadership(settings, options, log),
    shares: (options) => new KafkaShares(settings, options, log),
    sink: (options = {}) => new KafkaSink(settings, options, log),
    admin: () => admin,
    close: () => admin.close(),
    [Symbol.asyncDispose]: () => admin.close(),
  };
}
