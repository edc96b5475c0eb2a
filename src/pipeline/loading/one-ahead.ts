/** Work of which one piece is under way while the next is got ready. */
export class OneAhead {
  #underWay: Promise<void> = Promise.resolve();

  /** Starts the next piece once the one before is done. */
  async after(next: () => Promise<void>): Promise<void> {
    await this.#underWay;
    this.#underWay = next();
    // Heard in `after` or `done`; until then it must not count as unheard.
    this.#underWay.catch(() => undefined);
  }

  async done(): Promise<void> {
    await this.#underWay;
  }
}
