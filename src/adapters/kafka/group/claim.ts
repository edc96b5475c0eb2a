import { decodeConsumerProtocolSubscription } from '@platformatic/kafka';
import { z } from 'zod';
import type { Protocol } from './member.ts';

const claimSchema = z.object({
  /** The member id under which the member last led; null where it never did. */
  owned: z.string().nullable(),
  /** Sequence of the member's last note on the group, 0 where it left none: a later leader outranks an earlier one. */
  sequence: z.int().min(0),
  /** Whether the member is a standby, which yields to newly started members that are none. */
  standby: z.boolean(),
});

/** What a member says of itself each time it joins. */
export type Claim = z.infer<typeof claimSchema>;

export interface Claimant extends Claim {
  readonly memberId: string;
}

/** The claim of a member without readable user data: such a member leads when nobody else is there. */
const NO_CLAIM: Claim = { owned: null, sequence: 0, standby: true };

/** One member gets all partitions, and so leads. */
export const ONE_LEADER: Protocol = {
  name: 'twhin-one-reader',
  assign: (members, all) => {
    const chosen = chooseLeader(members.map(({ memberId, metadata }) => claimantOf(memberId, metadata)));
    return new Map(chosen === undefined ? [] : [[chosen, all]]);
  },
};

/**
 * The member that gets all partitions, and so leads. In this order: the member that leads now; the member that led
 * last; a member that is no standby; the member whose id sorts first. A member that was put out of the group comes back
 * under another id, so it can't pass for the member that leads now.
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

/** Whether the member led until this rebalance, under the id that it still has. */
export function holdsOn({ memberId, owned }: Claimant): boolean {
  return owned === memberId;
}

/** A member with the claim that it made when it joined. */
export function claimantOf(memberId: string, memberMetadata: Buffer): Claimant {
  try {
    const said = decodeConsumerProtocolSubscription(memberMetadata).userData;
    return { memberId, ...claimSchema.parse(JSON.parse(String(said))) };
  } catch {
    return { memberId, ...NO_CLAIM };
  }
}

const noteSchema = z.object({
  /** Rises by one with each note, whichever process leaves it. */
  sequence: z.int().min(1),
  /** Random name of the process that left the note. */
  reader: z.string(),
  /** The writer's own note; see `WriterNote`. */
  note: z.object({ space: z.string(), epoch: z.int().min(0), step: z.int().min(0) }).optional(),
});

/** The note that a group's leader leaves as the metadata of the group's offsets. */
export type GroupNote = z.infer<typeof noteSchema>;

export function encodeGroupNote(note: GroupNote): string {
  return JSON.stringify(note);
}

/** The latest note in the metadata of a group's offsets. Metadata that is no such note is ignored. */
export function latestNote(metadata: Iterable<string | null>): GroupNote | undefined {
  let latest: GroupNote | undefined;
  for (const text of metadata) {
    const note = decode(text);
    if (note !== undefined && note.sequence > (latest?.sequence ?? 0)) latest = note;
  }
  return latest;
}

function decode(text: string | null): GroupNote | undefined {
  if (text === null) return undefined;
  try {
    return noteSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
