import { FatalError, MAKE_AGAIN } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Head } from '../../graph/head.ts';
import { namesIn, type OutboxPart } from '../../graph/outbox.ts';

/** Pause after each run of hundreds of entries: a check of millions takes a minute at a tenth of a processor. */
const PAUSE_MS = 10;

export type Counts = Readonly<Record<string, number>>;

/** @throws FatalError where the store has fewer entities by type, or live edges by relation, than its head counts. */
export function checkGraph(
  { graph, entities, edges }: Head,
  there: { entities: Counts; edges: Counts },
): void {
  checkWhole(graph, 'entities', entities, there.entities);
  checkWhole(graph, 'live edges', edges, there.edges);
}

/** @throws FatalError where fewer vectors wait to be published, or in fewer parts, than the store's head counts. */
export function checkOutbox({ graph, outbox, outboxParts }: Head, parts: readonly OutboxPart[]): void {
  checkWhole(graph, 'vectors to publish', { all: outbox }, { all: namesIn(parts).size });
  const numbered = parts.filter(({ number }) => number !== undefined).length;
  checkWhole(graph, 'parts of the outbox', { all: outboxParts }, { all: numbered });
}

export function lost(graph: string, what: string): FatalError {
  return new FatalError('store-damaged', `a part of the store of ${graph} is lost: ${what}; ${MAKE_AGAIN}`);
}

/** An excess is no loss; `twhin check` finds it. */
function checkWhole(graph: string, what: string, counted: Counts, there: Counts): void {
  for (const [name, count] of Object.entries(counted)) {
    const found = there[name] ?? 0;
    if (found < count) throw lost(graph, `it holds ${found} ${what} (${name}), and its head counts ${count}`);
  }
}

/** Entities by type and live edges by relation. between: called after each run of entries. */
export async function countGraph(
  { layout, entries }: GraphStore,
  between: () => Promise<void> = async () => {},
): Promise<{ readonly entities: Counts; readonly edges: Counts }> {
  const { prefixes, entityTypes, relations } = layout;
  const entities = new Array<number>(entityTypes.length).fill(0);
  for await (const run of entries.runs(prefixes.entities)) {
    for (const { key } of run) {
      layout.checkEntityKey(key);
      entities[key[1]!]! += 1;
    }
    await between();
  }
  const edges = new Array<number>(relations.length).fill(0);
  for await (const run of entries.runs(prefixes.edges)) {
    for (const { key, value } of run) if (!layout.isRemoved(value)) edges[layout.relationIn(key)]! += 1;
    await between();
  }
  return {
    entities: Object.fromEntries(entityTypes.map((type, i) => [type, entities[i] ?? 0])),
    edges: Object.fromEntries(relations.map(({ name }, i) => [name, edges[i] ?? 0])),
  };
}

/**
 * Counts a store's entries in the background. RocksDB does not notice a truncated list of files, and loading from an
 * image reads no entries.
 */
export class LaterCheck {
  #stopped = false;
  /** Ends the present pause. */
  #goOn: (() => void) | undefined;
  readonly #done: Promise<void>;

  /**
   * view: the store as it was with this head, whatever is written meanwhile. failed: told of a loss, or of why the
   * entries could not be counted.
   */
  constructor(view: GraphStore, head: Head, failed: (error: Error) => void) {
    this.#done = countGraph(view, () => this.#pause())
      .then((there) => checkGraph(head, there))
      .catch((error: unknown) => {
        if (!this.#stopped) failed(error instanceof Error ? error : new Error(String(error)));
      });
  }

  /** Resolves when the store is no longer read. */
  done(): Promise<void> {
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#goOn?.();
    await this.#done;
  }

  /** @throws Error once stopped, so that nothing more is read. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#stopped ? 0 : PAUSE_MS);
      this.#goOn = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#stopped) throw new Error('stopped');
  }
}
