/** A type of edge: which type of entity stands on each side. */
export interface Relation {
  readonly name: string;
  readonly lhs: string;
  readonly rhs: string;
}

/** The relations of TwHIN; a configuration may add its own. */
export const RELATIONS = [
  { name: 'follows', lhs: 'user', rhs: 'user' },
  { name: 'likes', lhs: 'user', rhs: 'tweet' },
  { name: 'retweets', lhs: 'user', rhs: 'tweet' },
  { name: 'replies', lhs: 'user', rhs: 'tweet' },
  { name: 'quotes', lhs: 'user', rhs: 'tweet' },
  { name: 'mentions', lhs: 'user', rhs: 'tweet' },
  { name: 'clicks', lhs: 'user', rhs: 'ad' },
  { name: 'promotes', lhs: 'advertiser', rhs: 'ad' },
  { name: 'searches', lhs: 'user', rhs: 'query' },
] as const satisfies readonly Relation[];
