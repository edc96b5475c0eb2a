import { readFileSync } from 'node:fs';
import { AuthenticationError } from '@platformatic/kafka';
import { reasonOf, UsageError } from '../../errors/errors.ts';

/** How a client logs in to a cluster. A token is read again for each login, so that a file may be rotated. */
export type SaslSettings =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: string | { readonly file: string } };

/** How to reach a cluster. */
export interface KafkaSettings {
  /** host:port each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean;
  readonly sasl?: SaslSettings;
  /** PEM file of the authority that signed the brokers' certificates, where the authority is private. */
  readonly caFile?: string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogLine = (level: LogLevel, message: string) => void;

/** The brokers' addresses, for messages. */
export function addressOf({ brokers }: Pick<KafkaSettings, 'brokers'>): string {
  return brokers.join(',');
}

/** The user that logs in, for messages; undefined where the settings name none. */
export function userOf({ sasl }: KafkaSettings): string | undefined {
  return sasl !== undefined && 'username' in sasl ? sasl.username : undefined;
}

/** Options for Node's TLS; undefined without TLS. @throws UsageError. */
export function tlsOf({ ssl, caFile }: KafkaSettings): { ca?: string[] } | undefined {
  if (caFile === undefined) return ssl ? {} : undefined;
  return { ca: [readText('the certificate authority', caFile)] };
}

/** The client's login options. A login throws UsageError where the file with the token can't be read. */
export function saslOf(sasl: SaslSettings) {
  if (sasl.mechanism !== 'oauthbearer') {
    const { username, password } = sasl;
    return { mechanism: MECHANISMS[sasl.mechanism], username, password };
  }
  const { token } = sasl;
  const current = () => (typeof token === 'string' ? token : readText('the OAuth token', token.file).trim());
  return { mechanism: MECHANISMS.oauthbearer, token: current, authBytesValidator: refuseToken };
}

/** A broker that refuses a token answers with a reason instead of an error (RFC 7628, 3.2.2). */
function refuseToken(answer: Buffer, callback: (error: Error | null, answer: Buffer) => void): void {
  const reason = answer.toString('utf8');
  callback(answer.length === 0 ? null : new AuthenticationError(`the token is refused: ${reason}`), answer);
}

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
  oauthbearer: 'OAUTHBEARER',
} as const;

function readText(what: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(
      `the file of ${what}, ${file}, can't be read: ${reasonOf(cause)}; check its path and permissions`,
      { cause },
    );
  }
}
