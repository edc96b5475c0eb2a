/** retryable: try again, with a bound and a backoff. fatal: stop. bad-event: to the dead letters. bug: a fault of this program. */
export type ErrorClass = 'retryable' | 'fatal' | 'bad-event' | 'bug';

/**
 * Every error code with its class, which says what the caller does next. What happened and what to do is in the message. The
 * runbook has a section for the codes that need several steps. A code that nothing throws fails a test.
 */
export const CODES = {
  // Kafka
  'broker-answered': 'retryable',
  'broker-refused': 'fatal',
  'broker-too-old': 'fatal',
  'broker-unreachable': 'retryable',
  'client-fault': 'fatal',
  'damaged-batch': 'fatal',
  'log-diverged': 'fatal',
  'log-format': 'fatal',
  'message-too-large': 'retryable',
  'no-coordinator': 'retryable',
  'no-leader': 'retryable',
  'not-acknowledged': 'retryable',
  'not-authorized': 'fatal',
  'offset-out-of-range': 'fatal',
  'partition-missing': 'fatal',
  refused: 'retryable',
  'topic-missing': 'retryable',
  'topic-remade': 'fatal',
  'topic-slow': 'retryable',
  'topics-missing': 'fatal',
  timeout: 'fatal',

  // The group of a graph
  fenced: 'fatal',
  'group-in-use': 'fatal',
  stopped: 'retryable',

  // Files and the embedded log
  file: 'fatal',
  locked: 'retryable',
  'not-appended': 'retryable',

  // Stores
  'known-edges': 'fatal',
  'live-store': 'fatal',
  reshard: 'fatal',
  shards: 'fatal',
  'store-damaged': 'fatal',
  'store-denied': 'fatal',
  'store-exists': 'fatal',
  'store-format': 'fatal',
  'store-graph': 'fatal',
  'store-in-use': 'fatal',
  'store-missing': 'fatal',
  'store-model': 'fatal',
  'store-moving': 'retryable',
  'store-open': 'fatal',
  'store-origin': 'fatal',
  'store-read': 'fatal',
  'store-write': 'fatal',

  // Backup and restore
  'backup-damaged': 'fatal',
  'backup-inconsistent': 'fatal',
  'backup-read': 'fatal',
  'backup-write': 'fatal',
  'restore-check': 'fatal',
  'topic-record': 'fatal',

  // Replay and promotion
  promotion: 'fatal',
  'promotion-mixed': 'fatal',
  'publish-taken': 'fatal',
  'replay-store': 'fatal',

  // Training
  kernel: 'fatal',
  'table-full': 'fatal',
  'table-size': 'fatal',
  'vector-not-finite': 'fatal',

  // The process
  busy: 'fatal',
  /** A fault of this program, as `shape` is. */
  fault: 'fatal',
  'http-listen': 'fatal',
  interrupted: 'retryable',
  'not-read': 'retryable',
  /** A thread died, did not answer, or failed for a reason that is not known. */
  thread: 'fatal',
  'unknown-entity': 'fatal',
  shape: 'bug',

  // The broker and the demo of a clone
  'broker-start': 'retryable',
  'no-broker': 'retryable',

  // Why one record cannot be used. Part of the wire contract; their precedence is in topics/reasons.ts.
  'null-value': 'bad-event',
  'too-large': 'bad-event',
  'not-json': 'bad-event',
  'too-deep': 'bad-event',
  'forbidden-field': 'bad-event',
  'wrong-shape': 'bad-event',
  'unknown-action': 'bad-event',
  'empty-id': 'bad-event',
  'id-too-long': 'bad-event',
  'control-characters': 'bad-event',
  'unsafe-integer': 'bad-event',
  'bad-instant': 'bad-event',
  'looks-like-seconds': 'bad-event',
  'in-the-future': 'bad-event',
  'mapping-failed': 'bad-event',
  'unknown-topic': 'bad-event',
} as const satisfies Readonly<Record<string, ErrorClass>>;

export type ErrorCode = keyof typeof CODES;

export type CodeOf<C extends ErrorClass> = {
  [Code in ErrorCode]: (typeof CODES)[Code] extends C ? Code : never;
}[ErrorCode];

export function isCodeOf<C extends ErrorClass>(code: ErrorCode, wanted: C): code is CodeOf<C> {
  return CODES[code] === wanted;
}
