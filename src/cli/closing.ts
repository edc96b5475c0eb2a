import type { GraphStore } from '../graph/graph-store.ts';

type Closed = { close(): Promise<void> } | { stop(): Promise<void> };

/** The same, closed at the end of the block that declares it with `await using`, whatever else there fails. */
export function closing<T extends Closed>(what: T): T & AsyncDisposable {
  const close = () => ('close' in what ? what.close() : what.stop());
  return Object.assign(what, { [Symbol.asyncDispose]: close });
}

/** Stores that are opened one after the other, and closed as {@link closing} closes, also where a later one can't be opened. */
export class HeldStores implements AsyncDisposable {
  readonly all: GraphStore[] = [];
  readonly #closing = new AsyncDisposableStack();

  add(store: GraphStore): GraphStore {
    this.all.push(store);
    return this.#closing.adopt(store, () => store.close());
  }

  /** The stores, which whoever gets them closes from now on. */
  handOver(): readonly GraphStore[] {
    this.#closing.move();
    return this.all;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing.disposeAsync();
  }
}
