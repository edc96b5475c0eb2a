/** Topics of the world, by their names without the prefix. */
export type WorldTopic = 'engagement' | 'follow' | 'ad-click' | 'search' | 'erasure';

/** One record for a topic. key: the id of the acting user. */
export interface WorldEvent {
  readonly topic: WorldTopic;
  readonly key: string;
  readonly value: Buffer | null;
}

const FAR_FUTURE_MS = 50 * 365 * 86_400_000;
/** Over the limit on an event, well under a broker's 1 MiB. */
const LARGE_BYTES = 100_000;

type Break = (user: string, at: number) => WorldEvent;

const like = (fields: object): WorldEvent => raw(JSON.stringify(fields));
const raw = (text: string | null): WorldEvent => ({
  topic: 'engagement',
  key: 'nobody',
  value: text === null ? null : Buffer.from(text),
});

/** One bad record for every reason of the wire contract. */
const BREAKS: Readonly<Record<string, Break>> = {
  'not-json': (user) => raw(`{"userId":${user},"tweetId":`),
  'not-utf8': () => ({ ...raw(null), value: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) }),
  'wrong-shape': (user, at) => like({ userId: user, action: 'like', at }),
  'unknown-action': (user, at) => like({ userId: user, tweetId: '1', action: 'adore', at }),
  'too-large': (user, at) =>
    like({ userId: user, tweetId: '1', action: 'like', at, note: 'x'.repeat(LARGE_BYTES) }),
  'no-instant': (user) => like({ userId: user, tweetId: '1', action: 'like', at: 'yesterday' }),
  'not-positive': (user) => like({ userId: user, tweetId: '1', action: 'like', at: 0 }),
  seconds: (user, at) => like({ userId: user, tweetId: '1', action: 'like', at: Math.floor(at / 1000) }),
  future: (user, at) => like({ userId: user, tweetId: '1', action: 'like', at: at + FAR_FUTURE_MS }),
  'null-value': () => raw(null),
  'empty-id': (user, at) => like({ userId: user, tweetId: '', action: 'like', at }),
  'long-id': (user, at) => like({ userId: user, tweetId: 'x'.repeat(257), action: 'like', at }),
  'control-character': (user, at) => like({ userId: user, tweetId: 'a\u0007b', action: 'like', at }),
  'unsafe-integer': (user, at) =>
    raw(`{"userId":${user},"tweetId":9007199254740993,"action":"like","at":${at}}`),
  'deep-nesting': (user, at) =>
    raw(
      `{"userId":${user},"tweetId":"1","action":"like","at":${at},"x":${'['.repeat(500)}${']'.repeat(500)}}`,
    ),
  'proto-field': (user, at) =>
    raw(`{"userId":${user},"tweetId":"1","action":"like","at":${at},"__proto__":{"admin":true}}`),
  'proto-action': (user, at) => like({ userId: user, tweetId: '1', action: '__proto__', at }),
};

/** Names of the kinds of bad records, in the order of their turns. */
export const BAD_KINDS: readonly string[] = Object.keys(BREAKS);

/** The large kind is used in one of this many turns: in every turn it would be most of the bytes. */
const LARGE_EVERY = 10;

/**
 * The `n`th bad record. The kinds take turns, so that even a short world has every kind. at: epoch ms.
 * @throws RangeError when there is no such kind.
 */
export function badRecord(n: number, user: string, at: number): WorldEvent & { readonly kind: string } {
  const turn = Math.floor(n / BAD_KINDS.length);
  const dealt = BAD_KINDS[n % BAD_KINDS.length];
  const kind = dealt === 'too-large' && turn % LARGE_EVERY !== 0 ? 'unknown-action' : dealt;
  const make = kind === undefined ? undefined : BREAKS[kind];
  if (kind === undefined || make === undefined) throw new RangeError(`no bad record ${n}`);
  return { ...make(user, at), key: user, kind };
}
