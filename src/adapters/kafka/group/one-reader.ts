import { AssignerProtocol, type PartitionAssigner } from 'kafkajs';
import { z } from 'zod';

const claimSchema = z.object({
  /** The member id under which it last held the partitions. */
  owned: z.string().nullable(),
  /** Of its last note on the group, by which a later reader outranks an earlier one; 0 where it left none. */
  sequence: z.int().min(0),
  /** It waits for its turn rather than ask for it. */
  standby: z.boolean(),
});

/** What a member says of itself each time it joins. */
export type Claim = z.infer<typeof claimSchema>;

export interface Claimant extends Claim {
  readonly memberId: string;
}

/** One that says nothing that can be read: it gets the partitions when nobody else is there. */
const NO_CLAIM: Claim = { owned: null, sequence: 0, standby: true };

/**
 * The member that reads alone: the one that never stopped to, else the one that did so last, else one that is no
 * standby, else the one whose id comes first. A member that was put out of the group comes back under another id, and
 * so can't say that it never stopped.
 */
export function chooseReader(members: readonly Claimant[]): string | undefined {
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

/** It had the partitions before the group was joined anew. */
export function holdsOn({ memberId, owned }: Claimant): boolean {
  return owned === memberId;
}

/** Assigns all partitions of a group to one member. claim: asked at each joining. */
export function oneReader(claim: () => Claim): PartitionAssigner {
  const [name, version] = ['twhin-one-reader', 0];
  return ({ cluster }) => ({
    name,
    version,
    protocol({ topics }) {
      const userData = Buffer.from(JSON.stringify(claim()));
      return { name, metadata: AssignerProtocol.MemberMetadata.encode({ version, topics, userData }) };
    },
    async assign({ members, topics }) {
      const memberId = chooseReader(
        members.map(({ memberId, memberMetadata }) => claimantOf(memberId, memberMetadata)),
      );
      if (memberId === undefined) return [];
      const assignment = Object.fromEntries(
        topics.map((topic) => [
          topic,
          cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
        ]),
      );
      const userData = Buffer.alloc(0);
      const memberAssignment = AssignerProtocol.MemberAssignment.encode({ version, assignment, userData });
      return [{ memberId, memberAssignment }];
    },
  });
}

/** A member with what it said when it joined. */
export function claimantOf(memberId: string, memberMetadata: Buffer): Claimant {
  const said = AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData;
  try {
    return { memberId, ...claimSchema.parse(JSON.parse(String(said))) };
  } catch {
    return { memberId, ...NO_CLAIM };
  }
}
