/** How many vectors each commit still waits to have acknowledged. A vector is owed by the commit that moved it last. */
export class Owed {
  readonly #owed = new Map<number, number>();

  /** A commit put so many vectors up that nobody owed. */
  add(commit: number, vectors: number): void {
    if (vectors > 0) this.#owed.set(commit, (this.#owed.get(commit) ?? 0) + vectors);
  }

  /** So many are acknowledged, or moved again by a later commit. True: the commit owes none any more. */
  pay(commit: number, vectors: number): boolean {
    const owed = this.#owed.get(commit);
    if (owed === undefined) return false;
    if (owed > vectors) {
      this.#owed.set(commit, owed - vectors);
      return false;
    }
    this.#owed.delete(commit);
    return true;
  }
}
