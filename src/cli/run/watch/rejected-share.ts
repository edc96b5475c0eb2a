/** Points that the share of rejected events is computed over: five minutes. */
const RECENT = 60;

interface Counted {
  readonly read: number;
  readonly rejected: number;
}

/** Which share of the events of the last five minutes was rejected, by counts of every five seconds. */
export class RejectedShare {
  readonly #recent: Counted[] = [];

  /** Both count from the same start. */
  add(counted: Counted): void {
    this.#recent.push(counted);
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  get value(): number {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    if (first === undefined || last === undefined || last.read <= first.read) return 0;
    return (last.rejected - first.rejected) / (last.read - first.read);
  }
}
