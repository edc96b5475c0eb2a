import { readFileSync } from 'node:fs';
import { Kafka, type LogEntry, logLevel, type RetryOptions } from 'kafkajs';
import { FatalError, RetryableError, reasonOf, UsageError } from '../../errors/errors.ts';
import { guardConnections } from './connection-guard.ts';
import { guardRequestQueue } from './guard.ts';
import { replaceProduceEncoder } from './producer/produce-request.ts';
import { registerCodecs } from './reader/codecs.ts';
import { socketsOf } from './sockets.ts';

/** How to reach a cluster. */
export interface KafkaSettings {
  /** host:port each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  /** PEM file of the authority that signed the brokers' certificates, when it isn't a public one. */
  readonly caFile?: string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogLine = (level: LogLevel, message: string) => void;

/**
 * Waits between attempts inside kafkajs. All are given: its defaults differ under NODE_ENV=test.
 * Few attempts, for who calls retries with a report of its own.
 */
const CONNECT_RETRY: RetryOptions = {
  retries: 3,
  initialRetryTime: 200,
  maxRetryTime: 1000,
  factor: 0.2,
  multiplier: 2,
};

/** A kafkajs client whose log goes to `log`, as debug lines: what matters comes back as errors. */
export function createKafka(settings: KafkaSettings, log: LogLine, retry = CONNECT_RETRY): Kafka {
  registerCodecs();
  replaceProduceEncoder();
  if (!guardRequestQueue() || !guardConnections()) {
    log('warn', 'kafkajs is not the release this was written against: it may not survive lost connections');
  }
  return new Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: 3000,
    authenticationTimeout: 5000,
    requestTimeout: 30_000,
    socketFactory: socketsOf(settings),
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => log('debug', lineOf(entry)),
    ...(settings.ssl || settings.caFile !== undefined ? { ssl: tlsOf(settings) } : {}),
    ...(settings.sasl === undefined ? {} : { sasl: saslOf(settings.sasl) }),
  });
}

function lineOf({ namespace, log }: LogEntry): string {
  const details = typeof log['error'] === 'string' ? `: ${log['error']}` : '';
  return `kafkajs ${namespace}: ${log.message}${details}`;
}

/** What Node's TLS takes: the public authorities, or the one of `caFile`. */
export function tlsOf({ caFile }: KafkaSettings): true | { ca: string[] } {
  if (caFile === undefined) {
    return true;
  }
  try {
    return { ca: [readFileSync(caFile, 'utf8')] };
  } catch (cause) {
    throw new UsageError(
      'ca-file',
      `can't read the certificate authority's file ${caFile}: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** Spelt out by mechanism, since kafkajs types each as its own shape. */
function saslOf({ mechanism, username, password }: NonNullable<KafkaSettings['sasl']>) {
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password } as const;
    case 'scram-sha-256':
      return { mechanism, username, password } as const;
    case 'scram-sha-512':
      return { mechanism, username, password } as const;
  }
}

/** The error a caller can act on, with the address in it; ours pass unchanged. */
export function kafkaError(
  doing: string,
  settings: KafkaSettings,
  cause: unknown,
): RetryableError | FatalError {
  if (cause instanceof RetryableError || cause instanceof FatalError) {
    return cause;
  }
  const at = settings.brokers.join(',');
  const reason = reasonOf(cause);
  if (nameOf(cause) === 'KafkaJSSASLAuthenticationError') {
    const message = `${at} refused the credentials: ${reason}; check the SASL mechanism, user name and password`;
    return new FatalError('broker-refused', message, { cause });
  }
  const message = `${doing} failed at ${at}: ${reason}; check that the brokers run and that KAFKA_BROKERS names them`;
  return new RetryableError('broker-unreachable', message, { cause });
}

/** Name of the innermost error, which kafkajs wraps in what its retries say. */
function nameOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) {
    inner = inner.cause;
  }
  return inner instanceof Error ? inner.name : '';
}
