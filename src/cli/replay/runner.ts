import { type Holder, hasEnded, readHolder } from '../../state/open.ts';
import { livePlace } from '../../state/places.ts';

/** Time in which whoever watches over the process may start it again. */
const RESTART_MS = 10_000;

/** The process that runs a graph, as seen from another. */
export class Runner {
  readonly #graph: Parameters<typeof livePlace>[0];
  readonly #clock: () => number;
  #holder: Holder | undefined;
  #goneSince: number | undefined;

  constructor(graph: Parameters<typeof livePlace>[0], clock: () => number = Date.now) {
    this.#graph = graph;
    this.#clock = clock;
    this.#holder = readHolder(livePlace(graph));
  }

  /** Whether it has ended and none took its place within 10 s; one on another machine is never known to have. */
  gone(): boolean {
    const holder = readHolder(livePlace(this.#graph));
    if (holder !== undefined && !hasEnded(holder)) this.#holder = holder;
    if (this.#holder === undefined || !hasEnded(this.#holder)) {
      this.#goneSince = undefined;
      return false;
    }
    this.#goneSince ??= this.#clock();
    return this.#clock() - this.#goneSince >= RESTART_MS;
  }
}
