/** Work that waits, and who waits for it. */
interface Waiting {
  readonly work: () => void;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * Keeps writes to tables and scans of them in other threads apart. While scans are out the gate is shut, and writes wait
 * in the order in which they came; opening the gate does them all. A caller waits for the promise of a write before the
 * next one: that bounds how many writes wait.
 */
export class Gate {
  /** Writes done so far. */
  writes = 0;
  #isShut = false;
  #waiting: Waiting[] = [];

  /** Writes that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Does the work at once, or once the gate is open: then a promise, which fails as the work does. */
  write(work: () => void): Promise<void> | undefined {
    if (!this.#isShut) {
      this.writes++;
      work();
      return undefined;
    }
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ work, done });
    return done.promise;
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    for (const { work, done } of this.#waiting.splice(0)) {
      this.writes++;
      try {
        work();
        done.resolve();
      } catch (error) {
        done.reject(error);
      }
    }
  }
}
