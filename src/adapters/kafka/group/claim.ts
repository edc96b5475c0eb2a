import { decodeConsumerProtocolSubscription } from '@platformatic/kafka';
import { z } from 'zod';

const claimSchema = z.object({
  /** The member id under which it last led. */
  owned: z.string().nullable(),
  /** Of its last note on the group, by which a later leader outranks an earlier one; 0 where it left none. */
  sequence: z.int().min(0),
  /** It waits for its turn rather than ask for it. */
  standby: z.boolean(),
});

/** What a member says of itself each time it joins. */
export type Claim = z.infer<typeof claimSchema>;

export interface Claimant extends Claim {
  readonly memberId: string;
}

/** The claim of a member that says nothing readable: it leads when nobody else is there. */
const NO_CLAIM: Claim = { owned: null, sequence: 0, standby: true };

/** By this name members of all releases know that they agree on who leads. */
export const PROTOCOL = 'twhin-one-reader';

/**
 * The member that is given all partitions, and so leads: the member that never stopped to, else the one that did last,
 * else one that is no standby, else the one whose id comes first. A member that was put out of the group comes back
 * under another id, and so can't say that it never stopped.
 */
export function chooseLeader(members: readonly Claimant[]): string | undefined {
  return [...members].sort(byRight)[0]?.memberId;
}

function byRight(a: Claimant, b: Claimant): number {
  return (
    Number(holdsOn(b)) - Number(holdsOn(a)) ||
    b.sequence - a.sequence ||
    Number(a.standby) - Number(b.standby) ||
    (a.memberId < b.memberId ? -1 : 1)
  );
}

/** The member led before the group was joined anew. */
export function holdsOn({ memberId, owned }: Claimant): boolean {
  return owned === memberId;
}

/** A member with what it said when it joined. */
export function claimantOf(memberId: string, memberMetadata: Buffer): Claimant {
  try {
    const said = decodeConsumerProtocolSubscription(memberMetadata).userData;
    return { memberId, ...claimSchema.parse(JSON.parse(String(said))) };
  } catch {
    return { memberId, ...NO_CLAIM };
  }
}
