import type { WorldEvent, WorldTopic } from './world-bad.ts';
import type { Random } from './world-random.ts';
import type { Person, Society } from './world-society.ts';

/** The actions with their weights. Likes and follows lead, as in the graphs of the TwHIN paper. */
export const ACTIONS = [
  ['like', 28],
  ['follow', 24],
  ['retweet', 10],
  ['reply', 7],
  ['ad-click', 7],
  ['search', 7],
  ['mention', 5],
  ['quote', 4],
  ['unlike', 3],
  ['unfollow', 2.5],
  ['unretweet', 1],
  ['block', 0.5],
] as const;

export type Action = (typeof ACTIONS)[number][0];

/** Number of newest likes and retweets that a person may undo. */
const UNDOABLE = 8;

/** One action of a person. fields: of the record, without the time. */
export interface Deed {
  readonly topic: WorldTopic;
  readonly action: Action;
  readonly actor: Person;
  readonly fields: Readonly<Record<string, string>>;
  readonly at: number;
}

/** Draws one action of a person. An impossible action (nothing to undo, nobody new to follow) becomes a like. */
export function act(society: Society, random: Random, wanted: Action, at: number): Deed {
  const actor = society.actor();
  const community = society.interest(actor);
  const engage = (action: Action, tweetId: string): Deed => {
    return { topic: 'engagement', action, actor, fields: { userId: actor.id, tweetId, action }, at };
  };
  const relate = (action: Action, other: Person): Deed => {
    return {
      topic: 'follow',
      action,
      actor,
      fields: { followerId: actor.id, followedId: other.id, action },
      at,
    };
  };
  switch (wanted) {
    case 'follow': {
      const other = society.stranger(actor, community);
      if (other === undefined) break;
      actor.followed.add(other);
      return relate(wanted, other);
    }
    case 'unfollow':
    case 'block': {
      const other = random.pick(
        wanted === 'block' ? [...actor.followed, society.actor()] : [...actor.followed, actor],
      );
      if (other === actor || other.erased) break;
      actor.followed.delete(other);
      return relate(wanted, other);
    }
    case 'unlike':
    case 'unretweet': {
      const tweet = (wanted === 'unlike' ? actor.liked : actor.retweeted).pop();
      if (tweet === undefined) break;
      return engage(wanted, tweet);
    }
    case 'retweet': {
      const tweet = society.tweet(community);
      remember(actor.retweeted, tweet);
      return engage(wanted, tweet);
    }
    case 'reply':
    case 'quote':
    case 'mention':
      return engage(wanted, society.tweet(community));
    case 'ad-click': {
      const { id, advertiser } = society.ad(community);
      const fields = { userId: actor.id, adId: id, advertiserId: advertiser };
      return { topic: 'ad-click', action: wanted, actor, fields, at };
    }
    case 'search': {
      const fields = { userId: actor.id, query: society.query(community) };
      return { topic: 'search', action: wanted, actor, fields, at };
    }
    case 'like':
      break;
    default:
      wanted satisfies never;
  }
  const tweet = society.tweet(community);
  remember(actor.liked, tweet);
  return engage('like', tweet);
}

/** The record of an action. Some ids are numbers and some times ISO 8601: the wire contract allows both. */
export function encode(deed: Deed, random: Random): WorldEvent {
  const fields: Record<string, string | number> = { ...deed.fields };
  const userField = deed.topic === 'follow' ? 'followerId' : 'userId';
  if (random.chance(0.2)) fields[userField] = Number(deed.actor.id);
  const at = random.chance(0.1) ? new Date(deed.at).toISOString() : deed.at;
  return { topic: deed.topic, key: deed.actor.id, value: Buffer.from(JSON.stringify({ ...fields, at })) };
}

function remember(tweets: string[], tweet: string): void {
  tweets.push(tweet);
  if (tweets.length > UNDOABLE) tweets.shift();
}
