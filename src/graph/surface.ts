/** A list with a name: whom it is for, what it shows, and what it leaves out. */
export interface Surface {
  readonly name: string;
  /** Types of the entities that the list is for, and the type of what it shows. */
  readonly from: readonly string[];
  readonly to: string;
  /**
   * Relations by which is asked; all that lead from the entity's type to `to` unless given. A type at which none of them begins is asked
   * by all of its own.
   */
  readonly relations?: readonly string[] | undefined;
  /** Relations whose targets are not shown again; those by which is asked unless given. */
  readonly leaveOut?: readonly string[] | undefined;
  readonly atMost?: AtMost | undefined;
}

/** A limit on items of one group: those that one entity leads to, such as the ads of an advertiser. */
export interface AtMost {
  readonly count: number;
  /** The relation that leads to the items. */
  readonly by: string;
}

/** The surfaces that come with us, for graphs that have a relation for them. */
export const SURFACES: readonly Surface[] = [
  { name: 'home', from: ['user'], to: 'tweet' },
  { name: 'who-to-follow', from: ['user'], to: 'user' },
  { name: 'ads', from: ['user'], to: 'ad', atMost: { count: 2, by: 'promotes' } },
];
