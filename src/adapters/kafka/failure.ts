import {
  AuthenticationError,
  GenericError,
  ProtocolError,
  ResponseError,
  UserError,
} from '@platformatic/kafka';
import { FatalError, RetryableError, reasonOf, TwhinError } from '../../errors/errors.ts';
import { addressOf, type KafkaSettings, userOf } from './settings.ts';

/** Kafka's numbers of `UNKNOWN_TOPIC_OR_PARTITION` and `TOPIC_AUTHORIZATION_FAILED`. */
export const [NOT_THERE, NOT_AUTHORIZED] = [3, 29];

/** The error itself, then every error that it wraps. */
function* within(error: unknown): Generator<unknown> {
  yield error;
  if (error instanceof AggregateError) for (const each of error.errors) yield* within(each);
  if (error instanceof Error && error.cause !== undefined) yield* within(error.cause);
}

function find<T>(error: unknown, matches: (each: unknown) => each is T): T | undefined {
  for (const each of within(error)) if (matches(each)) return each;
  return undefined;
}

const isProtocolError = (error: unknown): error is ProtocolError & { apiId: string } =>
  error instanceof ProtocolError && typeof error['apiId'] === 'string';

/** An error that only a fault in code throws. The client wraps such errors too, for example those of a login callback. */
const isProgrammingError = (error: unknown): error is Error =>
  [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);

/** Kafka's name of the error with which a broker refused, such as `NOT_LEADER_OR_FOLLOWER`; undefined without a refusal. */
export function protocolError(error: unknown): string | undefined {
  return find(error, isProtocolError)?.apiId;
}

/** The member id that a broker gives with `MEMBER_ID_REQUIRED`. */
export function memberIdIn(error: unknown): string | undefined {
  const id = find(error, isProtocolError)?.['memberId'];
  return typeof id === 'string' ? id : undefined;
}

/** The reasons of the innermost errors, each once: the client wraps its errors, and the outer ones say little. */
export function reasonsOf(error: unknown): string {
  const reasons = new Set<string>();
  for (const each of within(error)) {
    const isInnermost =
      !(each instanceof Error) || (each.cause === undefined && !(each instanceof AggregateError));
    if (!isInnermost) continue;
    const id = isProtocolError(each) ? each.apiId : undefined;
    const reason = reasonOf(each);
    reasons.add(id === undefined || reason.includes(id) ? reason : `${id}: ${reason}`);
  }
  return [...reasons].join('; ');
}

/** Returns an answer even where some of its parts hold errors. The client throws such an answer as an error. */
export async function answered<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ResponseError && 'response' in error) return error['response'] as T;
    throw error;
  }
}

/** Whether another attempt may help: connections, leaders and coordinators move; a refused login and a denied right stay. */
export function mayPass(error: unknown): boolean {
  if (error instanceof RetryableError) return error.code === 'no-leader';
  for (const each of within(error)) {
    if (each instanceof TwhinError || (each instanceof GenericError && each['canRetry'] === false))
      return false;
  }
  return error instanceof GenericError || error instanceof AggregateError;
}

/** The rights that a request needs, as an operator grants them: `DESCRIBE_CONFIGS on topic twhin.follow`. */
export interface Rights {
  readonly topic?: string;
  readonly group?: string;
  readonly cluster?: string;
}

/** Brokers' refusals of requests that ask, read or join; producers have their own in `producer.ts`. */
const DENIED: Readonly<Record<string, keyof Rights>> = {
  TOPIC_AUTHORIZATION_FAILED: 'topic',
  GROUP_AUTHORIZATION_FAILED: 'group',
  CLUSTER_AUTHORIZATION_FAILED: 'cluster',
};
const UNNAMED: Required<Rights> = {
  topic: 'READ and DESCRIBE on the topics',
  group: 'READ and DESCRIBE on the group',
  cluster: 'the cluster right that the request needs',
};

export function memberRights(groupId: string): Rights {
  return { group: `READ and DESCRIBE on group ${groupId}` };
}

function denied(doing: string, settings: KafkaSettings, right: string, cause?: unknown): FatalError {
  const reason = cause === undefined ? '' : `: ${reasonsOf(cause)}`;
  const message = `${doing} is denied at ${addressOf(settings)}${reason}; grant ${right} to ${userOf(settings) ?? 'this user'}`;
  return new FatalError('not-authorized', message, cause === undefined ? undefined : { cause });
}

/** @throws FatalError `not-authorized`: a topic that may not be looked at would else be taken for one that is there, or missing. */
export function refuseDenied(
  doing: string,
  settings: KafkaSettings,
  operation: string,
  topics: readonly { readonly name?: string | null | undefined; readonly errorCode: number }[],
): void {
  const names = topics.filter(({ errorCode }) => errorCode === NOT_AUTHORIZED).map(({ name }) => name ?? '');
  if (names.length === 0) return;
  const what = `topic${names.length === 1 ? '' : 's'} ${names.sort().join(', ')}`;
  throw denied(doing, settings, `${operation} on ${what}`);
}

/**
 * The error a caller can act on, with the address in it; errors of this program pass unchanged. rights: those that the request needs. Retryable: brokers out
 * of reach, or a refusal that passes. Fatal: a refused login, a denied right, and a failure of this client itself, which
 * no other broker would mend.
 */
export function kafkaError(
  doing: string,
  settings: KafkaSettings,
  cause: unknown,
  rights: Rights = {},
): TwhinError {
  const own = find(cause, (each) => each instanceof TwhinError);
  if (own !== undefined) return own;
  const at = addressOf(settings);
  const reason = reasonsOf(cause);
  if (find(cause, (each) => each instanceof AuthenticationError) !== undefined) {
    const message = `${at} refused the login: ${reason}; check the SASL mechanism, user name and password or token`;
    return new FatalError('broker-refused', message, { cause });
  }
  if (find(cause, (each) => each instanceof UserError) !== undefined) {
    const message = `${at} can't be talked to as configured: ${reason}; check KAFKA_SSL and KAFKA_SASL_MECHANISM`;
    return new FatalError('broker-refused', message, { cause });
  }
  const of = DENIED[protocolError(cause) ?? ''];
  if (of !== undefined) return denied(doing, settings, rights[of] ?? UNNAMED[of], cause);
  const isOfClient = !(cause instanceof GenericError || cause instanceof AggregateError);
  if (isOfClient || find(cause, isProgrammingError) !== undefined) {
    const message = `${doing} failed in this process, not at ${at}: ${reason}; this is a fault of twhin-stream: report it with the log`;
    return new FatalError('client-fault', message, { cause });
  }
  if (protocolError(cause) !== undefined) {
    return new RetryableError('broker-answered', `${doing} failed: ${at} answered ${reason}`, { cause });
  }
  const message = `${doing} failed: no answer from ${at}: ${reason}; check that the brokers run and that KAFKA_BROKERS names them`;
  return new RetryableError('broker-unreachable', message, { cause });
}

/** An offset as a number. @throws FatalError `log-format` above 2^53, where numbers are no longer exact. */
export function safeOffset(offset: bigint, topic: string): number {
  const value = Number(offset);
  if (Number.isSafeInteger(value)) return value;
  throw new FatalError(
    'log-format',
    `offset ${offset} of ${topic} is past 2^53, and the topic can't be read; recreate the topic`,
  );
}
