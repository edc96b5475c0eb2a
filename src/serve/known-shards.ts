import { FatalError, reasonOf } from '../errors/errors.ts';
import { type GraphStatus, statusTogether } from './graph-status.ts';
import type { Holding } from './holding.ts';
import type { MissedReason, ShardLink, ShardMissed } from './shard-link.ts';
import { largestTogether, missingPartitions, type Reply } from './shard-replies.ts';
import { isBusy } from './turn.ts';

/** A shard that left so many questions in a row unanswered is asked no more until it says how it is. */
const AWAY_AFTER = 3;
/** Whoever is busy, or late with one answer of many, or serves another space, is there. */
const UNANSWERED: readonly MissedReason[] = ['unreachable', 'broken'];
/** A shard that is late is away if it says nothing for so long, not even how it is, which it does at once. ms */
const SILENT_MS = 1_000;

export interface KnownShardsOptions {
  /** In order: of two that hold the same partitions, the first one is asked. */
  readonly links: readonly ShardLink[];
  /** Epoch ms. */
  now(): number;
  /** Told of each question that a shard left without an answer of use. */
  missed(url: string, reason: MissedReason): void;
}

/** How a shard is, and since when, epoch ms. */
export interface ShardReport {
  readonly url: string;
  readonly up: boolean;
  readonly since: number;
  /** Why it is not up. */
  readonly reason?: string;
}

/** How a shard is, as far as is known. */
interface ShardState {
  /** Undefined before the first look. */
  up: boolean | undefined;
  /** Since when it is so, epoch ms. */
  since: number;
  /** Why it is not up. */
  reason: string;
  holdings: readonly Holding[];
  status: readonly GraphStatus[];
  /** Questions in a row that were left unanswered. */
  unanswered: number;
  /** Answers that came, of whatever kind. */
  heard: number;
  /** Whether it was late, and is asked how it is. */
  isProbed: boolean;
}

/** What is known of the shards that are asked: which are up, what they hold, and since when one is away. */
export class KnownShards {
  readonly #options: KnownShardsOptions;
  readonly #states: ReadonlyMap<ShardLink, ShardState>;
  #wasReady = false;

  constructor(options: KnownShardsOptions) {
    this.#options = options;
    this.#states = new Map(options.links.map((link) => [link, unknownState(options.now())]));
  }

  /** Asks all shards how they are. timeoutMs: who takes longer is away. */
  async look(timeoutMs: number): Promise<void> {
    const looks = [...this.#states].map(async ([link, state]) => {
      const { heard } = state;
      try {
        const { holdings, status } = await link.ask('state', {}, timeoutMs);
        state.holdings = holdings;
        state.status = status;
        state.unanswered = 0;
        this.#is(state, true);
      } catch (error) {
        if (!isBusy(error) && state.heard === heard) this.#isAway(state, reasonOf(error));
      }
    });
    await Promise.all(looks);
    this.#wasReady ||= this.lacks().length === 0;
  }

  /**
   * Why nobody should ask now, a phrase each. Ready once all shards are and hold all partitions of one space; from then on
   * while any shard answers: a shard that is away makes answers partial.
   */
  unready(): readonly string[] {
    const anyUp = [...this.#states.values()].some(({ up }) => up === true);
    return this.#wasReady && anyUp ? [] : this.lacks();
  }

  /** How each shard is, as far as is known. */
  reports(): ShardReport[] {
    return [...this.#states].map(([{ url }, { up, since, reason }]) =>
      up === true ? { url, up, since } : { url, up: false, since, reason },
    );
  }

  /** How far each graph is, of the shards that answer together, as of the last look. */
  status(): GraphStatus[] {
    const up = [...this.#states].filter(([, state]) => state.up === true);
    const holdings = up.flatMap(([link, state]) => state.holdings.map((answer) => ({ link, answer })));
    return [...Map.groupBy(holdings, ({ answer }) => answer.graph)].flatMap(([graph, of]) => {
      const links = new Set(largestTogether(of).map(({ link }) => link));
      const [first, ...others] = up.flatMap(([link, { status }]) =>
        links.has(link) ? status.filter((each) => each.graph === graph) : [],
      );
      return first === undefined ? [] : [statusTogether([first, ...others])];
    });
  }

  /** What is missing for whole answers, a phrase each. */
  lacks(): string[] {
    const lacks: string[] = [];
    const holdings: Reply<Holding>[] = [];
    for (const [link, { up, reason, holdings: held }] of this.#states) {
      if (up !== true) lacks.push(`${link.url}: ${reason}`);
      else holdings.push(...held.map((answer) => ({ link, answer })));
    }
    for (const [graph, of] of Map.groupBy(holdings, ({ answer }) => answer.graph)) {
      const together = largestTogether(of);
      const missing = missingPartitions(of, together);
      const others = new Set(of.map(({ answer }) => answer.space).filter((space) => space !== ''));
      if (missing.length > 0)
        lacks.push(
          `${graph}: no shard that answers holds the partitions ${missing.join(', ')}` +
            (others.size > 1 ? `; the shards serve ${others.size} spaces` : ''),
        );
    }
    return lacks;
  }

  /** Those who are not known to be away; all of them where none is left. */
  asked(): { readonly link: ShardLink }[] {
    const asked = [...this.#states].filter(([, { up }]) => up !== false).map(([link]) => ({ link }));
    return asked.length > 0 ? asked : this.#options.links.map((link) => ({ link }));
  }

  isAway(link: ShardLink): boolean {
    return this.#states.get(link)?.up === false;
  }

  /** Asks a shard that was late how it is. It is away if nothing comes from it meanwhile, and asked no more until it says how it is. */
  async #probe(link: ShardLink, state: ShardState): Promise<void> {
    if (state.isProbed) return;
    state.isProbed = true;
    const { heard } = state;
    try {
      await link.ask('state', {}, SILENT_MS);
      state.heard++;
    } catch (error) {
      if (state.heard === heard && !isBusy(error)) this.#isAway(state, reasonOf(error));
    }
    state.isProbed = false;
  }

  #is(state: ShardState, up: boolean): void {
    if (state.up !== up) state.since = this.#options.now();
    state.up = up;
  }

  #isAway(state: ShardState, reason: string): void {
    this.#is(state, false);
    state.reason = reason;
  }

  /** A shard answered a question; error: or had no answer of use. */
  heard(link: ShardLink, error: ShardMissed | undefined): void {
    const state = this.#states.get(link);
    if (error !== undefined) this.#options.missed(link.url, error.reason);
    if (state === undefined) return;
    if (error?.reason === 'late') {
      void this.#probe(link, state);
    } else if (error !== undefined && UNANSWERED.includes(error.reason)) {
      state.unanswered++;
      if (state.unanswered >= AWAY_AFTER) this.#isAway(state, error.message);
    } else {
      state.heard++;
      state.unanswered = 0;
    }
  }

  /** What is thrown where nobody answers within so long. */
  away(deadlineMs: number): FatalError {
    const reasons = [...this.#states].map(([{ url }, { up, reason }]) =>
      up === false ? `${url}: ${reason}` : url,
    );
    return new FatalError('shards-away', `no shard answers within ${deadlineMs} ms: ${reasons.join('; ')}`);
  }
}

function unknownState(since: number): ShardState {
  return {
    ...{ up: undefined, since, reason: 'not asked yet', holdings: [], status: [] },
    ...{ unanswered: 0, heard: 0, isProbed: false },
  };
}
