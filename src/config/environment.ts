import type { KafkaSettings } from '../adapters/kafka/settings.ts';

/** A variable of the environment, as docs/configuration.md describes it. */
interface Variable {
  readonly description: string;
  readonly default?: string;
  /** Key of the configuration file over which the variable wins. */
  readonly wins?: string;
}

/** What Kafka takes as the start of a topic's name; the prefix may be empty. */
export const TOPIC_PREFIX = /^[a-zA-Z0-9._-]{0,150}$/;
export const TOPIC_PREFIX_RULE = 'up to 150 letters, digits, dots, _ and -';

const PASSWORD_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const TOKEN_MECHANISM = 'oauthbearer';
const MECHANISMS = [...PASSWORD_MECHANISMS, TOKEN_MECHANISM] as const;

/** Every variable that is read. */
export const VARIABLES = {
  KAFKA_BROKERS: {
    wins: 'kafka.brokers',
    default: '127.0.0.1:9092',
    description:
      'Addresses of the brokers: `HOST:PORT`, separated by commas. `file:FOLDER` is the embedded log, a folder in place of brokers.',
  },
  KAFKA_SSL: { default: 'false', description: '`true`: connect to the brokers by TLS.' },
  KAFKA_SSL_CA: {
    description:
      "File with the certificate authority to trust. Without it, Node's own list of authorities is trusted.",
  },
  KAFKA_SASL_MECHANISM: {
    default: 'plain',
    description: `How to log in: ${MECHANISMS.map((each) => `\`${each}\``).join(', ')}. The last takes a token, the others take user name and password.`,
  },
  KAFKA_SASL_USERNAME: { description: 'User name for the brokers.' },
  KAFKA_SASL_PASSWORD: { description: 'Password for the brokers. It is never logged.' },
  KAFKA_SASL_TOKEN: { description: 'Token for `oauthbearer`. It is never logged.' },
  KAFKA_SASL_TOKEN_FILE: {
    description: 'File with the token, read again for each login: for tokens that are rotated on disk.',
  },
  TWHIN_STATE: {
    wins: 'state',
    default: '.twhin/state',
    description: 'Folder of the stores. Each graph has a folder of its own below it.',
  },
  TWHIN_TOPIC_PREFIX: {
    wins: 'topicPrefix',
    default: 'twhin.',
    description: `Prefix of every topic's name: ${TOPIC_PREFIX_RULE}. An empty value means no prefix.`,
  },
  TWHIN_HTTP: {
    wins: 'http',
    default: '127.0.0.1:8077',
    description: 'Address of dashboard, health checks and metrics: `HOST:PORT`, or `off`.',
  },
  TWHIN_CONFIG: { default: 'twhin.config.ts', description: 'Path of the configuration file.' },
} as const satisfies Readonly<Record<string, Variable>>;

type Name = keyof typeof VARIABLES;

/** What the environment says; undefined where it says nothing. */
export type Environment = ReturnType<typeof readEnvironment>;

/** Reads the environment once. `problems` gets a line for each unusable variable, without the values of secrets. */
export function readEnvironment(env: NodeJS.ProcessEnv, problems: string[]) {
  const text = (name: Name) => (env[name] === '' ? undefined : env[name]);
  const refuse = (name: Name, expected: string) =>
    problems.push(`${name}: expected ${expected}, seen ${JSON.stringify(env[name])}`);
  // Unlike the others, an empty prefix is a value.
  const topicPrefix = env['TWHIN_TOPIC_PREFIX'];
  if (topicPrefix !== undefined && !TOPIC_PREFIX.test(topicPrefix))
    refuse('TWHIN_TOPIC_PREFIX', TOPIC_PREFIX_RULE);
  const ssl = text('KAFKA_SSL') ?? 'false';
  if (ssl !== 'true' && ssl !== 'false') refuse('KAFKA_SSL', 'true or false');
  const [caFile, sasl] = [text('KAFKA_SSL_CA'), readSasl(text, problems)];
  return {
    brokers: text('KAFKA_BROKERS')
      ?.split(',')
      .map((broker) => broker.trim()),
    state: text('TWHIN_STATE'),
    topicPrefix,
    http: text('TWHIN_HTTP'),
    configFile: text('TWHIN_CONFIG'),
    /** How connections to the brokers are secured. */
    security: { ssl: ssl === 'true', ...(sasl && { sasl }), ...(caFile !== undefined && { caFile }) },
  };
}

function readSasl(
  text: (name: Name) => string | undefined,
  problems: string[],
): KafkaSettings['sasl'] | undefined {
  const username = text('KAFKA_SASL_USERNAME');
  const password = text('KAFKA_SASL_PASSWORD');
  const named = text('KAFKA_SASL_MECHANISM');
  const [token, tokenFile] = [text('KAFKA_SASL_TOKEN'), text('KAFKA_SASL_TOKEN_FILE')];
  if ([username, password, named, token, tokenFile].every((value) => value === undefined)) return undefined;
  const mechanism = MECHANISMS.find((known) => known === (named ?? 'plain').toLowerCase());
  if (mechanism === undefined) {
    problems.push(`KAFKA_SASL_MECHANISM: expected ${MECHANISMS.join(', ')}, seen ${JSON.stringify(named)}`);
  }
  if (mechanism === TOKEN_MECHANISM) {
    if ((token === undefined) === (tokenFile === undefined)) {
      const seen = token === undefined ? 'neither' : 'both';
      problems.push(
        `KAFKA_SASL_TOKEN, KAFKA_SASL_TOKEN_FILE: expected one of the two for oauthbearer, seen ${seen}`,
      );
      return undefined;
    }
    return { mechanism, token: token ?? { file: tokenFile ?? '' } };
  }
  if (username === undefined) problems.push('KAFKA_SASL_USERNAME: expected a user name, seen nothing');
  if (password === undefined) problems.push('KAFKA_SASL_PASSWORD: expected a password, seen nothing');
  if (mechanism === undefined || username === undefined || password === undefined) return undefined;
  return { mechanism, username, password };
}

/** Checks the brokers' addresses: host:port each, or one file:FOLDER for the embedded log. */
export function checkBrokers(brokers: readonly string[], problems: string[]): void {
  const folders = brokers.filter((broker) => broker.startsWith('file:'));
  if (folders.length > 0 && brokers.length > 1) {
    problems.push(`KAFKA_BROKERS: expected one file:FOLDER or a list of host:port, seen both`);
  }
  for (const broker of brokers) {
    if (broker.startsWith('file:') && broker.length > 'file:'.length) continue;
    const port = Number(/^[^\s/]+:(\d{1,5})$/.exec(broker)?.[1]);
    if (!(port >= 1 && port <= 65_535)) {
      problems.push(`KAFKA_BROKERS: expected host:port, seen ${JSON.stringify(broker)}`);
    }
  }
}

export interface HttpAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export const HTTP_DEFAULT: HttpAddress = { host: '127.0.0.1', port: 8077 };

/** Reads `host:port`, or `off` for no server. `problems` gets a line with the key for any other text. */
export function readHttpAddress(key: string, text: string, problems: string[]): HttpAddress | 'off' {
  if (text === 'off') return text;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port >= 0 && port <= 65_535) return { host, port };
  problems.push(
    `${key}: expected host:port, such as 127.0.0.1:8077 or [::1]:8077, or off, seen ${JSON.stringify(text)}`,
  );
  return 'off';
}
