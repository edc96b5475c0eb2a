/** Names kept of what only one store has. */
const EXAMPLES = 3;

/** How many things of a kind two stores share, and which only one of them has. */
export interface Membership {
  both: number;
  onlyA: number;
  onlyB: number;
  /** The first few that only A, or only B, has. */
  readonly examplesA: string[];
  readonly examplesB: string[];
}

export function noMembers(): Membership {
  return { both: 0, onlyA: 0, onlyB: 0, examplesA: [], examplesB: [] };
}

/** Counts one thing; `nameOf` is asked only where one store lacks it and few such are named yet. */
export function countMember(members: Membership, inA: boolean, inB: boolean, nameOf: () => string): void {
  if (inA && inB) {
    members.both++;
    return;
  }
  const examples = inA ? members.examplesA : members.examplesB;
  if (inA) members.onlyA++;
  else members.onlyB++;
  if (examples.length < EXAMPLES) examples.push(nameOf());
}
