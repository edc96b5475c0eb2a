import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { FatalError, RetryableError, reasonOf } from '../../../errors/errors.ts';
import type {
  Candidate,
  GroupCommit,
  Leadership,
  Offsets,
  Position,
  Positions,
  WriterNote,
} from '../../../pipeline/ports.ts';
import { type Failure, pause, retrying, troubleOf } from '../../backoff.ts';
import { fenced, groupInUse } from '../../log-errors.ts';
import { type GroupOffset, KafkaAdmin } from '../admin.ts';
import { addressOf, type KafkaSettings, type LogLine } from '../settings.ts';
import { type Claim, encodeGroupNote, latestNote, ONE_LEADER } from './claim.ts';
import { asMember, type GroupOptions, type Member, type MemberOptions, SESSION_MS } from './member.ts';

export interface LeadershipOptions extends GroupOptions {
  /** Where another process leads the group, wait for a turn instead of failing. */
  readonly standby?: boolean;
  /** Groups whose leaders publish to the same topics: the parts of what this group has whole, or the whole of its part. */
  readonly beside?: () => Promise<readonly string[]>;
}

/** Between two heartbeats where nobody asks for one. */
const HEARTBEAT_MS = 500;
const JOIN_AGAIN_MS = 100;
/** Time from the end of a member's session until the other members have joined again without it. */
const PUT_OUT_MS = 2_000;
/** The longest that a stop waits for the group to be told the last offsets. */
const LAST_TOLD_MS = 2_000;

/** Told that this process leads, and that the group answered. */
interface Listener {
  onLead(): void;
  heard(): void;
}

/**
 * Leadership of a consumer group, all of whose partitions go to one member. Where the brokers are out of reach for long,
 * one membership ends and another begins. Between two memberships another process may have led, written and gone; the
 * note on the group's offsets tells.
 */
export class KafkaLeadership implements Leadership {
  readonly #settings: KafkaSettings;
  readonly #options: LeadershipOptions & MemberOptions;
  readonly #log: LogLine;
  readonly #admin: KafkaAdmin;
  readonly #stopping = new AbortController();
  /** The name under which this process leaves notes on the group. */
  readonly #name = randomUUID();
  #running: Promise<void> | undefined;
  /** The membership in which this process leads now. */
  #leading: Member | undefined;
  /** Whether this process has led before, and may have written as the leader. */
  #held = false;
  /**
   * When the group was last asked and answered that this process leads, by the wall clock, which goes on while a machine is suspended.
   * A process that is frozen meets the answer long after it was given.
   */
  #ledAt = Date.now();
  /** Callers of `confirm`, each of whom waits for the answer to a heartbeat sent after the call. */
  #asking: PromiseWithResolvers<void>[] = [];
  /** Ends the pause before the next heartbeat. */
  #asked = Promise.withResolvers<void>();
  /** Why this process never leads again. */
  #end: Error | undefined;
  /** What the group is to know and does not yet. */
  #untold: { readonly positions: Positions; readonly note: WriterNote | undefined } | undefined;
  /** The last attempt to tell the group. */
  #telling: Promise<void> = Promise.resolve();
  /** Since when another member has everything, by the monotonic clock, where this one is to lead. */
  #waiting: { readonly since: number; isTold: boolean } | undefined;
  #owned: string | null = null;
  #sequence = 0;

  constructor(settings: KafkaSettings, options: LeadershipOptions, log: LogLine) {
    this.#settings = settings;
    this.#options = { sessionTimeoutMs: SESSION_MS, ...options, protocol: ONE_LEADER };
    this.#log = log;
    this.#admin = new KafkaAdmin(settings);
  }

  async join(candidate: Candidate): Promise<void> {
    if (this.#running !== undefined) {
      throw new FatalError('fault', 'leadership was asked for before; make another');
    }
    const led = Promise.withResolvers<void>();
    let leads = false;
    const onLead = () => {
      leads = true;
      led.resolve();
    };
    this.#running = this.#retrying(async (heard) => {
      await this.#admin.refuseMissing(this.#options.topics);
      const outside = { stopping: this.#stopping.signal, log: this.#log };
      const stay = (member: Member) =>
        this.#stay(member, candidate, { onLead, heard }).finally(() => {
          this.#leading = undefined;
        });
      const comesBack = (error: unknown) =>
        error instanceof RetryableError && this.#options.instanceId !== undefined;
      await asMember(this.#settings, this.#options, outside, stay, comesBack);
    }).then(
      () => led.reject(this.#stopped()),
      (error: unknown) => {
        if (this.#stopping.signal.aborted && error instanceof RetryableError) return led.reject(error);
        const failure = error instanceof Error ? error : new Error(reasonOf(error));
        this.#ended(failure);
        if (leads) candidate.failed(failure);
        else led.reject(failure);
      },
    );
    await led.promise;
    await this.#refuseBeside();
  }

  /** The store's offsets count, so a group that can't be reached holds up nothing. */
  async commit(positions: Positions, note?: WriterNote): Promise<void> {
    this.#untold = { positions, note };
    await this.#tell();
  }

  async committed(): Promise<GroupCommit> {
    return this.#retrying(async () => {
      await this.#admin.refuseMissing(this.#options.topics);
      const left = await this.#left();
      const offsets: Offsets = {};
      for (const { topic, partition, offset } of left)
        if (offset >= 0) offsets[topic] = { ...offsets[topic], [partition]: offset };
      const note = noteIn(left)?.note;
      return { offsets, ...(note && { note }) };
    });
  }

  async confirm(): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    const asking = Promise.withResolvers<void>();
    this.#asking.push(asking);
    this.#asked.resolve();
    await asking.promise;
  }

  async stop(): Promise<void> {
    if (this.#untold !== undefined) await Promise.race([this.#tell(), sleep(LAST_TOLD_MS)]);
    this.#stopping.abort();
    await this.#running;
    this.#ended(this.#stopped());
    await this.#admin.close();
  }

  /** Tries again, until stopped. @throws FatalError, or RetryableError `stopped`. */
  #retrying<T>(work: (heard: () => void) => Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const { onTrouble } = this.#options;
    const told = (failure: Failure) => onTrouble?.(troubleOf(addressOf(this.#settings), failure));
    const unlessStopped = async (heard: () => void) => {
      if (signal.aborted) throw this.#stopped();
      return work(heard);
    };
    return retrying(unlessStopped, { signal, onTrouble: told }).catch((error) => {
      throw signal.aborted && error instanceof RetryableError ? this.#stopped() : error;
    });
  }

  /** Joins, and sends heartbeats until stopped. @throws FatalError; RetryableError where another membership may help. */
  async #stay(member: Member, candidate: Candidate, listener: Listener): Promise<void> {
    const { signal } = this.#stopping;
    this.#waiting = undefined;
    let [settled, heard] = [false, performance.now()];
    while (!signal.aborted) {
      try {
        if (settled) await this.#beat(member);
        else {
          await this.#settle(member, candidate, listener);
          settled = true;
        }
        heard = performance.now();
        await this.#refuseWhereLed();
      } catch (error) {
        if (signal.aborted) return;
        const why = member.joinsAgain(error);
        if (why !== undefined) {
          settled = false;
          if (why === 'put out') this.#leading = undefined;
        } else {
          // A join that failed ends the membership at once.
          member.outlast(error, settled ? heard : Number.NEGATIVE_INFINITY);
        }
      }
      if (settled) await Promise.race([pause(HEARTBEAT_MS, signal), this.#asked.promise]);
      else await pause(JOIN_AGAIN_MS, signal);
    }
  }

  /** Sends a heartbeat, and tells those who asked before that this process leads. @throws the brokers' error. */
  async #beat(member: Member): Promise<void> {
    this.#asked = Promise.withResolvers();
    const [asking, sentAt] = [this.#asking.splice(0), Date.now()];
    try {
      await member.heartbeat();
    } catch (error) {
      this.#asking.unshift(...asking);
      throw error;
    }
    this.#ledAt = sentAt;
    // There may be no later commit to carry what the group does not know.
    void this.#tell();
    const isFresh = Date.now() - sentAt < this.#options.sessionTimeoutMs / 2;
    if (this.#leading === member && isFresh) for (const { resolve } of asking) resolve();
    else this.#asking.unshift(...asking);
  }

  #ended(error: Error): void {
    this.#end = error;
    for (const { reject } of this.#asking.splice(0)) reject(error);
  }

  /** Joins the group, and leads it where this member is chosen to. */
  async #settle(member: Member, candidate: Candidate, { onLead, heard }: Listener): Promise<void> {
    const { groupId, standby = false } = this.#options;
    const claim: Claim = { owned: this.#owned, sequence: this.#sequence, standby };
    const askedAt = Date.now();
    const assigned = await member.join(Buffer.from(JSON.stringify(claim)));
    heard();
    const awayMs = Date.now() - this.#ledAt;
    if (assigned.length === 0) {
      this.#leading = undefined;
      if (this.#held) throw fenced(groupId, awayMs);
      if (!standby) this.#waiting = { since: performance.now(), isTold: false };
      return;
    }
    this.#waiting = undefined;
    const leadsOn = this.#leading === member && this.#owned === member.id;
    // Before anything is confirmed, the note must tell what happened since the last membership.
    if (!leadsOn) this.#leading = undefined;
    // Not now: an answer from before a freeze is read after it.
    this.#ledAt = askedAt;
    if (leadsOn) return;
    this.#owned = member.id;
    await this.#takeNote(member, candidate, awayMs);
    this.#leading = member;
    onLead();
  }

  /**
   * Leaves this process's name on the group, unless the name is there already.
   * @throws FatalError `fenced` when another process has left its name since this process led.
   */
  async #takeNote(member: Member, candidate: Candidate, awayMs: number): Promise<void> {
    const { groupId } = this.#options;
    const left = await this.#left();
    const latest = noteIn(left);
    if (latest?.reader === this.#name) {
      this.#sequence = latest.sequence;
      return;
    }
    if (latest !== undefined && this.#held) throw fenced(groupId, awayMs);
    this.#sequence = latest?.sequence ?? this.#sequence;
    const positions: Record<string, Record<string, Position>> = {};
    for (const { topic, partition, offset, epoch } of left) {
      const at = offset >= 0 ? { offset, epoch } : (candidate.position(topic, partition) ?? { offset: 0 });
      positions[topic] = { ...positions[topic], [partition]: at };
    }
    await this.#leave(member, positions, latest?.note);
    this.#held = true;
  }

  /** Commits offsets to the group with this process's note. @throws what the brokers say. */
  async #leave(member: Member, positions: Positions, note: WriterNote | undefined): Promise<void> {
    const sequence = this.#sequence + 1;
    await member.commit(positions, encodeGroupNote({ sequence, reader: this.#name, ...(note && { note }) }));
    this.#sequence = sequence;
  }

  /** Makes one attempt after the other, so that older offsets never replace newer ones. */
  #tell(): Promise<void> {
    this.#telling = this.#telling.then(async () => {
      const [untold, member] = [this.#untold, this.#leading];
      if (untold === undefined || member === undefined) return;
      try {
        await this.#leave(member, untold.positions, untold.note);
        if (this.#untold === untold) this.#untold = undefined;
      } catch (error) {
        this.#log('debug', `offsets could not be committed to the group: ${reasonOf(error)}`);
      }
    });
    return this.#telling;
  }

  /** @throws FatalError `group-in-use` where another process is known to lead. */
  async #refuseWhereLed(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const { groupId, sessionTimeoutMs } = this.#options;
    // A process that was killed while it joined is chosen like any other, and is put out only when its session ends.
    const limitMs = sessionTimeoutMs + PUT_OUT_MS;
    const isOver = performance.now() - waiting.since >= limitMs;
    const leader = await this.#admin.groupLeader(groupId).catch(() => null);
    // Nobody leads during a rebalance, and this process learns its result too.
    if (leader?.holdsOn || (isOver && leader !== undefined)) throw groupInUse(groupId, leader ?? undefined);
    if (waiting.isTold) return;
    waiting.isTold = true;
    const seconds = Math.ceil(limitMs / 1000);
    this.#log(
      'warn',
      `another process joined group ${groupId}: it has ${seconds} s to show that it is there`,
    );
  }

  /**
   * Waits while another group beside this one is led, for as long as a process that was killed still has its session. Brokers that can't
   * answer now are asked again; where they refuse to, nothing is known, and nothing refused. @throws FatalError `group-in-use`;
   * RetryableError `stopped`.
   */
  async #refuseBeside(): Promise<void> {
    const { groupId, beside = async () => [], sessionTimeoutMs } = this.#options;
    const found = async () => {
      for (const group of await beside()) {
        const leader = await this.#admin.groupLeader(group);
        if (leader !== undefined)
          return groupInUse(group, leader, `because it publishes what ${groupId} does`);
      }
      return undefined;
    };
    const asked = () =>
      this.#retrying(found).catch((error: unknown) => {
        if (error instanceof RetryableError) throw error;
        this.#log(
          'info',
          `whether another process publishes what ${groupId} does is not known: ${reasonOf(error)}`,
        );
        return undefined;
      });
    const { signal } = this.#stopping;
    const until = performance.now() + sessionTimeoutMs + PUT_OUT_MS;
    let isTold = false;
    for (let refusal = await asked(); refusal !== undefined; refusal = await asked()) {
      if (performance.now() > until) throw refusal;
      if (!isTold) this.#log('warn', `waits to see whether this still holds: ${refusal.message}`);
      isTold = true;
      await pause(HEARTBEAT_MS, signal);
      if (signal.aborted) throw this.#stopped();
    }
  }

  #left() {
    return this.#admin.groupOffsets(this.#options.groupId, this.#options.topics);
  }

  #stopped(): RetryableError {
    return new RetryableError(
      'stopped',
      `leadership of group ${this.#options.groupId} is not asked for any more`,
    );
  }
}

function noteIn(left: readonly GroupOffset[]) {
  return latestNote(left.map(({ metadata }) => metadata));
}
