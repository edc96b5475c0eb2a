import { resolve } from 'node:path';
import type { EventLog, Leadership, LogAdmin, Sink, Trouble } from '../pipeline/ports.ts';
import { FileLogAdmin } from './file-log/admin.ts';
import { FileLog } from './file-log/file-log.ts';
import { FileLogSink } from './file-log/sink.ts';
import type { KafkaSettings, LogLine } from './kafka/client.ts';
import type { SinkOptions } from './kafka/producer/sink.ts';

export interface LogOptions {
  readonly onTrouble?: (trouble: Trouble) => void;
}

export interface LeadershipOptions {
  readonly groupId: string;
  /** Full names of the topics whose offsets the group is told. */
  readonly topics: readonly string[];
  /** Waits for its turn instead of failing where another process leads. */
  readonly standby?: boolean;
  readonly onTrouble?: (trouble: Trouble) => void;
  readonly sessionTimeoutMs?: number;
  /** A name that stays over restarts, for static membership. */
  readonly instanceId?: string;
}

/** A log of topics, whatever keeps it. */
export interface LogConnection {
  /** The address as a person reads it. */
  readonly describe: string;
  /** Closed by whoever asked for it. */
  log(options?: LogOptions): EventLog;
  /** undefined where the log has no groups: the store's lock alone makes this process the one writer. */
  leadership(options: LeadershipOptions): Leadership | undefined;
  sink(options?: SinkOptions): Sink;
  /** The same for all who ask; `close` closes it. */
  admin(): LogAdmin;
  /** Ends what is left open once logs, leaderships and sinks are closed by whoever asked for them. Idempotent. */
  close(): Promise<void>;
}

const FILE_SCHEME = 'file:';

/** The log at `settings.brokers`: Kafka at host:port, or the embedded file log at `file:DIR`. Nothing is opened yet. */
export async function connect(
  settings: KafkaSettings,
  logLine: LogLine = () => undefined,
): Promise<LogConnection> {
  const first = settings.brokers[0] ?? '';
  if (!first.startsWith(FILE_SCHEME)) {
    const { connectKafka } = await import('./kafka/connect.ts');
    return connectKafka(settings, logLine);
  }
  const dir = resolve(first.slice(FILE_SCHEME.length));
  const admin = new FileLogAdmin(dir);
  return {
    describe: `the embedded file log in ${dir}`,
    log: () => new FileLog(dir),
    leadership: () => undefined,
    sink: () => new FileLogSink(dir),
    admin: () => admin,
    close: () => admin.close(),
  };
}
