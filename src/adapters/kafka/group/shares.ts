import { isDeepStrictEqual } from 'node:util';
import { RetryableError, reasonOf } from '../../../errors/errors.ts';
import type { Position, Positions, Share, Shares } from '../../../pipeline/ports.ts';
import { type Failure, pause, retrying, troubleOf } from '../../backoff.ts';
import { type GroupOffset, KafkaAdmin } from '../admin.ts';
import { kafkaError, memberRights } from '../failure.ts';
import { addressOf, type KafkaSettings, type LogLine } from '../settings.ts';
import {
  type Assigned,
  asMember,
  type GroupOptions,
  type Member,
  type MemberOptions,
  type Protocol,
  SESSION_MS,
} from './member.ts';

const HEARTBEAT_MS = 500;
/** How often partitions that were added to the topics are looked for. */
const COUNT_MS = 5_000;

/** Each member gets its turn of all partitions, in the order of topics, partitions and member ids. */
export const EQUAL_SHARES: Protocol = {
  name: 'twhin-equal-shares',
  assign: (members, all) => {
    const ids = members.map(({ memberId }) => memberId).sort();
    const shares = new Map<string, Assigned[]>(ids.map((id) => [id, []]));
    let turn = 0;
    for (const { topic, partitions } of [...all].sort((a, b) => (a.topic < b.topic ? -1 : 1))) {
      const byMember = Map.groupBy(
        partitions.toSorted((a, b) => a - b),
        () => ids[turn++ % ids.length],
      );
      for (const [id, own] of byMember) shares.get(id ?? '')?.push({ topic, partitions: own });
    }
    return shares;
  },
};

/** Shares of a consumer group, in which each partition of the topics belongs to one member at a time. */
export class KafkaShares implements Shares {
  readonly #settings: KafkaSettings;
  readonly #options: MemberOptions;
  readonly #log: LogLine;
  readonly #admin: KafkaAdmin;
  readonly #stopping = new AbortController();
  #reason: string | undefined;
  #running: Promise<void> | undefined;

  constructor(settings: KafkaSettings, options: GroupOptions, log: LogLine) {
    this.#settings = settings;
    this.#options = { sessionTimeoutMs: SESSION_MS, ...options, protocol: EQUAL_SHARES };
    this.#log = log;
    this.#admin = new KafkaAdmin(settings);
  }

  work(on: (share: Share) => Promise<void>): Promise<void> {
    this.#running ??= this.#run(on);
    return this.#running;
  }

  get trouble(): string | undefined {
    return this.#reason;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
    await this.#admin.close();
  }

  async #run(on: (share: Share) => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    const onTrouble = (failure: Failure) => {
      this.#reason = reasonOf(failure.error);
      this.#options.onTrouble?.(troubleOf(addressOf(this.#settings), failure));
    };
    const membership = (heard: () => void) =>
      asMember(this.#settings, this.#options, { stopping: signal, log: this.#log }, async (member) => {
        while (!signal.aborted) await this.#generation(member, on, heard);
      });
    await retrying(membership, { signal, onTrouble }).catch((error) => {
      if (!signal.aborted || !(error instanceof RetryableError)) throw error;
    });
  }

  /** Joins, and works on the share until the group divides the partitions again. */
  async #generation(member: Member, on: (share: Share) => Promise<void>, heard: () => void): Promise<void> {
    const share = await this.#share(member);
    if (share === undefined) return;
    heard();
    this.#reason = undefined;
    // What ends the work ends the membership. A signal, and no promise: the heartbeats would leave a reaction each on one that stays open.
    const failing = new AbortController();
    const ending = AbortSignal.any([this.#stopping.signal, failing.signal]);
    const working = on(share).catch((error: unknown) => failing.abort(error));
    try {
      await this.#stay(member, share, ending);
      if (failing.signal.aborted) throw failing.signal.reason;
    } finally {
      share.end();
      await working;
      await share.commitTo(member).catch((error: unknown) => {
        this.#log('debug', `the last offsets of a share were not committed: ${reasonOf(error)}`);
      });
    }
  }

  /** undefined: the group asks to join again. @throws RetryableError, FatalError */
  async #share(member: Member): Promise<GroupShare | undefined> {
    const { groupId, topics } = this.#options;
    try {
      await this.#admin.refuseMissing(topics);
      const counts = [...(await this.#admin.partitionCounts(topics))];
      // A member that knows of more partitions says something else than before, which has the group divide them again.
      const assigned = await member.join(Buffer.from(JSON.stringify(counts)));
      const committed = await this.#admin.groupOffsets(groupId, topics);
      const names = assigned.flatMap(({ topic, partitions }) => partitions.map((each) => `${topic}/${each}`));
      this.#log('info', `group ${groupId} gave this process ${names.length} partitions: ${names.join(', ')}`);
      return new GroupShare(new Set(names), committed, counts);
    } catch (error) {
      if (this.#stopping.signal.aborted) return undefined;
      if (member.joinsAgain(error) !== undefined) return undefined;
      throw kafkaError(`joining group ${groupId}`, this.#settings, error, memberRights(groupId));
    }
  }

  /** Sends heartbeats and commits until told to end, or until the group asks to join again. @throws RetryableError, FatalError */
  async #stay(member: Member, share: GroupShare, ending: AbortSignal): Promise<void> {
    let heard = performance.now();
    let counted = heard;
    while (!ending.aborted) {
      await pause(HEARTBEAT_MS, ending);
      if (ending.aborted) return;
      try {
        await member.heartbeat();
        await share.commitTo(member);
        heard = performance.now();
        if (heard - counted < COUNT_MS) continue;
        counted = heard;
        const counts = [...(await this.#admin.partitionCounts(this.#options.topics))];
        if (!isDeepStrictEqual(counts, share.counts)) return;
      } catch (error) {
        if (ending.aborted || member.joinsAgain(error) !== undefined) return;
        member.outlast(error, heard);
      }
    }
  }
}

/** What a process works on between two divisions of the partitions. */
class GroupShare implements Share {
  /** Partitions of each topic, as they were when the share was given. */
  readonly counts: readonly (readonly [string, number])[];
  readonly #names: ReadonlySet<string>;
  readonly #positions: ReadonlyMap<string, Position>;
  readonly #ending = new AbortController();
  #waiting: Positions | undefined;

  constructor(
    names: ReadonlySet<string>,
    committed: readonly GroupOffset[],
    counts: readonly (readonly [string, number])[],
  ) {
    this.counts = counts;
    this.#names = names;
    this.#positions = new Map(
      committed
        .filter(({ offset }) => offset >= 0)
        .map(({ topic, partition, ...position }) => [`${topic}/${partition}`, position]),
    );
  }

  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  has(topic: string, partition: number): boolean {
    return this.#names.has(`${topic}/${partition}`);
  }

  position(topic: string, partition: number): Position | undefined {
    return this.#positions.get(`${topic}/${partition}`);
  }

  done(positions: Positions): void {
    const waiting = { ...this.#waiting };
    for (const [topic, of] of Object.entries(positions)) waiting[topic] = { ...waiting[topic], ...of };
    this.#waiting = waiting;
  }

  end(): void {
    this.#ending.abort();
  }

  /** Commits what is done. @throws the brokers' error, after which it is committed with the next. */
  async commitTo(member: Member): Promise<void> {
    const positions = this.#waiting;
    if (positions === undefined) return;
    await member.commit(positions, '');
    if (this.#waiting === positions) this.#waiting = undefined;
  }
}
