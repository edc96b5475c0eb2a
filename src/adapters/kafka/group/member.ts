import {
  decodeConsumerProtocolAssignment,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  heartbeatV4,
  joinGroupV7,
  leaveGroupV4,
  offsetCommitV8,
  syncGroupV5,
} from '@platformatic/kafka';
import { RetryableError, reasonOf } from '../../../errors/errors.ts';
import type { Positions, Trouble } from '../../../pipeline/ports.ts';
import { instanceTaken } from '../../log-errors.ts';
import { Brokers, GROUP } from '../brokers.ts';
import { kafkaError, memberIdIn, memberRights, protocolError } from '../failure.ts';
import type { KafkaSettings, LogLine } from '../settings.ts';

/** A member that does not join a rebalance within this time is put out. Any session is shorter, and ends first. */
const REBALANCE_MS = 60_000;
const TYPE = 'consumer';

/** A session unless said otherwise. */
export const SESSION_MS = 10_000;
/** After this many sessions without an answer, a member opens new connections. */
const SILENT_SESSIONS = 3;
/** Refusals after which the member joins again: as the same member after a rebalance, as another after being put out. */
const REBALANCE = 'REBALANCE_IN_PROGRESS';
const PUT_OUT: ReadonlySet<string> = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

export interface Assigned {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** How the members of a group divide the partitions of their topics among themselves. */
export interface Protocol {
  /** Members of all releases that know the name divide alike. */
  readonly name: string;
  /** By member id; whoever is not there gets nothing. metadata: what each member said when it joined. */
  assign(
    members: readonly { readonly memberId: string; readonly metadata: Buffer }[],
    all: readonly Assigned[],
  ): ReadonlyMap<string, readonly Assigned[]>;
}

/** What joining a group takes. */
export interface GroupOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly onTrouble?: (trouble: Trouble) => void;
  /** After this long without a heartbeat, the group gives what the process has to others. */
  readonly sessionTimeoutMs?: number;
  /** An id that a process keeps over restarts: after a kill it has what it had without waiting for its old session to end. */
  readonly instanceId?: string;
}

export interface MemberOptions extends GroupOptions {
  readonly protocol: Protocol;
  readonly sessionTimeoutMs: number;
}

/**
 * Works as a member of a group, and leaves the group at the end. stopping: cuts off a request to join, which the group may hold
 * back for long. comesBack: whether the member is about to join again; a static one keeps its place in the group by not leaving.
 */
export async function asMember(
  settings: KafkaSettings,
  options: MemberOptions,
  { stopping, log }: { readonly stopping: AbortSignal; readonly log: LogLine },
  work: (member: Member) => Promise<void>,
  comesBack: (error: unknown) => boolean = () => false,
): Promise<void> {
  const member = new Member(settings, options);
  const stopJoining = () => void member.stopJoining();
  stopping.addEventListener('abort', stopJoining, { once: true });
  let keepsPlace = false;
  try {
    await work(member);
  } catch (error) {
    keepsPlace = comesBack(error);
    throw error;
  } finally {
    stopping.removeEventListener('abort', stopJoining);
    await (keepsPlace ? member.close() : member.leave()).catch((error: unknown) => {
      log('debug', `leaving group ${options.groupId}: ${reasonOf(error)}`);
    });
  }
}

/** One member of a group, in Kafka's classic protocol. */
export class Member {
  readonly #settings: KafkaSettings;
  readonly #options: MemberOptions;
  readonly #instanceId: string | null;
  readonly #brokers: Brokers;
  /** Separate connections for joining: a broker may hold back a request to join, and with it every request behind it. */
  readonly #joining: Brokers;
  #id = '';
  #generation = -1;

  constructor(settings: KafkaSettings, options: MemberOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#instanceId = options.instanceId ?? null;
    this.#brokers = new Brokers(settings, options.sessionTimeoutMs);
    this.#joining = new Brokers(settings, REBALANCE_MS + options.sessionTimeoutMs);
  }

  get id(): string {
    return this.#id;
  }

  /**
   * Why the group wants this member to join again; undefined for any other failure. A member that was put out joins as a new one.
   * @throws FatalError where another process has taken this one's place for good.
   */
  joinsAgain(error: unknown): 'rebalance' | 'put out' | undefined {
    const refused = protocolError(error) ?? '';
    if (refused === 'FENCED_INSTANCE_ID') throw instanceTaken(this.#options.groupId);
    if (refused === REBALANCE) return 'rebalance';
    if (!PUT_OUT.has(refused)) return undefined;
    this.#id = '';
    return 'put out';
  }

  /**
   * Goes on after a failure of staying in the group: the coordinator may be another broker by then, and is looked up again.
   * heardAt: when the group answered last, by `performance.now`. @throws the failure, where it can't pass or lasts for too long.
   */
  outlast(error: unknown, heardAt: number): void {
    const { groupId, sessionTimeoutMs } = this.#options;
    const failure = kafkaError(`staying in group ${groupId}`, this.#settings, error, memberRights(groupId));
    const silentMs = performance.now() - heardAt;
    if (!(failure instanceof RetryableError) || silentMs > SILENT_SESSIONS * sessionTimeoutMs) throw failure;
    this.#brokers.forgetCoordinators();
    this.#joining.forgetCoordinators();
  }

  /** What this member gets in a rebalance, at its end. userData: for those who assign. @throws the brokers' error. */
  async join(userData: Buffer): Promise<readonly Assigned[]> {
    const { groupId, topics, protocol, sessionTimeoutMs } = this.#options;
    const metadata = encodeConsumerProtocolSubscription({ version: 0, topics: [...topics], userData });
    const coordinator = await this.#joining.coordinator(GROUP, groupId);
    const ask = () =>
      joinGroupV7.api.async(
        coordinator,
        groupId,
        sessionTimeoutMs,
        REBALANCE_MS,
        this.#id,
        this.#instanceId,
        TYPE,
        [{ name: protocol.name, metadata }],
      );
    const joined = await ask().catch((error: unknown) => {
      const given = protocolError(error) === 'MEMBER_ID_REQUIRED' ? memberIdIn(error) : undefined;
      if (given === undefined) throw error;
      this.#id = given;
      return ask();
    });
    this.#id = joined.memberId;
    this.#generation = joined.generationId;
    const assignments = joined.leader === joined.memberId ? await this.#assign(joined.members) : [];
    const rest = [TYPE, protocol.name, assignments] as const;
    const { assignment } = await syncGroupV5.api.async(coordinator, ...this.#membership, ...rest);
    return assignment.length > 0 ? decodeConsumerProtocolAssignment(assignment).assignedPartitions : [];
  }

  get #membership() {
    return [this.#options.groupId, this.#generation, this.#id, this.#instanceId] as const;
  }

  /** @throws the brokers' error. */
  async heartbeat(): Promise<void> {
    const coordinator = await this.#brokers.coordinator(GROUP, this.#options.groupId);
    await heartbeatV4.api.async(coordinator, ...this.#membership);
  }

  /** @throws the brokers' error. */
  async commit(positions: Positions, metadata: string): Promise<void> {
    const topics = Object.entries(positions).map(([name, partitions]) => ({
      name,
      partitions: Object.entries(partitions).map(([partition, { offset, epoch = -1 }]) => ({
        partitionIndex: Number(partition),
        committedOffset: BigInt(offset),
        committedLeaderEpoch: epoch,
        committedMetadata: metadata,
      })),
    }));
    if (topics.every(({ partitions }) => partitions.length === 0)) return;
    const coordinator = await this.#brokers.coordinator(GROUP, this.#options.groupId);
    await offsetCommitV8.api.async(coordinator, ...this.#membership, topics);
  }

  async stopJoining(): Promise<void> {
    await this.#joining.close();
  }

  /** Leaves the group, if this member is in it, and closes the connections. */
  async leave(): Promise<void> {
    const { groupId } = this.#options;
    try {
      if (this.#id === '') return;
      const coordinator = await this.#brokers.coordinator(GROUP, groupId);
      const groupInstanceId = this.#instanceId;
      await leaveGroupV4.api.async(coordinator, groupId, [{ memberId: this.#id, groupInstanceId }]);
    } finally {
      await this.close();
    }
  }

  /** Closes the connections without leaving; the group notices when the session ends. */
  async close(): Promise<void> {
    await Promise.all([this.#brokers.close(), this.#joining.close()]);
  }

  async #assign(members: readonly { memberId: string; metadata: Buffer }[]) {
    const { topics, protocol } = this.#options;
    const { topics: known } = await this.#joining.metadata(topics);
    const all = known.map(({ name, partitions }) => ({
      topic: name ?? '',
      partitions: partitions.map(({ partitionIndex }) => partitionIndex),
    }));
    const assigned = protocol.assign(members, all);
    return members.map(({ memberId }) => ({
      memberId,
      assignment: encodeConsumerProtocolAssignment({
        version: 0,
        assignedPartitions: (assigned.get(memberId) ?? []).map(({ topic, partitions }) => ({
          topic,
          partitions: [...partitions],
        })),
      }),
    }));
  }
}
