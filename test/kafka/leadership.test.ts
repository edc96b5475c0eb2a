import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { AssignerProtocol } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLeadership, type LeadershipOptions } from '../../src/adapters/kafka/group/leadership.ts';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import type { Candidate, Position } from '../../src/pipeline/ports.ts';
import { apart, quiet, settings } from './apart.ts';
import { freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

const { admin } = apart();

/** Of a group. A busy machine stalls processes for longer than the 3 s that the tests' own brokers would take. */
const SESSION_MS = 6_000;
/** That the group told of a leader that was frozen past its session. */
const FENCED = /^failed fenced: .*took over group .* for about ([6-9]|[1-9]\d) s/;

/** What ends the leaders of this file: its tests run side by side, because most of their time is that of sessions. */
const ends: (() => unknown)[] = [];
afterAll(() => Promise.all(ends.map((end) => end())));

const made = async (partitions = 3): Promise<string> => {
  const topic = freshTopic('leadership');
  await makeTopic(topic, partitions);
  return topic;
};

/** A candidate that knows no positions, and keeps the errors. */
class Asking implements Candidate {
  readonly errors: Error[] = [];
  readonly positions: Readonly<Record<number, number>>;

  constructor(positions: Readonly<Record<number, number>> = {}) {
    this.positions = positions;
  }

  position(_: string, partition: number): Position | undefined {
    const offset = this.positions[partition];
    return offset === undefined ? undefined : { offset };
  }

  failed(error: Error): void {
    this.errors.push(error);
  }
}

const leadership = (topic: string, more: Partial<LeadershipOptions> = {}): KafkaLeadership => {
  const options = { groupId: `g-${topic}`, topics: [topic], sessionTimeoutMs: SESSION_MS, ...more };
  const one = new KafkaLeadership(settings, options, quiet);
  ends.push(() => one.stop());
  return one;
};

const leader = async (topic: string, more?: Partial<LeadershipOptions>): Promise<KafkaLeadership> => {
  const one = leadership(topic, more);
  await one.join(new Asking());
  return one;
};

const groupOf = async (topic: string) => (await admin.describeGroups([`g-${topic}`])).groups[0];
/** Waits until the group has so many members, whether or not they were answered. */
const members = (topic: string, count: number): Promise<void> =>
  until(`${count} members`, async () => (await groupOf(topic))?.members.length === count);
/** Waits until the group has so many members and no rebalance under way. */
const settled = (topic: string, members: number): Promise<void> =>
  until(`a settled group of ${members}`, async () => {
    const group = await groupOf(topic);
    return group?.state === 'Stable' && group.members.length === members;
  });

/** A running `leader-process.ts`, and the lines that it printed. */
class Other {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor(topic: string, options: Partial<LeadershipOptions> = {}) {
    const script = new URL('./leader-process.ts', import.meta.url).pathname;
    const given = JSON.stringify({ sessionTimeoutMs: SESSION_MS, ...options });
    const args = [script, settings.brokers.join(','), topic, given];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
    ends.push(() => this.signal('SIGKILL'));
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async says(pattern: RegExp, after = 0): Promise<void> {
    const said = () => this.lines.slice(after).some((line) => pattern.test(line));
    await until(`the other process to say ${pattern}`, said).catch((error: unknown) => {
      throw new Error(`the process printed only:\n${this.lines.join('\n')}`, { cause: error });
    });
  }
}

const otherLeader = async (topic: string, options: Partial<LeadershipOptions> = {}): Promise<Other> => {
  const other = new Other(topic, options);
  await other.says(/confirmed/);
  return other;
};

describe.concurrent('one leader for each group', () => {
  test('a second process is refused with the name of the leader; the first goes on', async () => {
    const topic = await made();
    const asking = new Asking();
    const first = leadership(topic);
    await first.join(asking);
    const told = new RegExp(`group g-${topic} \\(client test at \\S+\\): stop that process first.*--standby`);
    const refusal = { code: 'group-in-use', message: expect.stringMatching(told) };
    await expect(leader(topic)).rejects.toMatchObject(refusal);
    await first.confirm();
    expect(asking.errors).toEqual([]);
    await expect(first.join(new Asking())).rejects.toMatchObject({ code: 'fault' });
  });

  test('a process waits for the session of a leader beside it to end, and is refused where it goes on', async () => {
    const topic = await made();
    const whole = await leader(topic);
    const shard = (lines: string[] = []) => {
      let asked = 0;
      const beside = async () => {
        // Right after the start of a broker.
        if (asked++ === 0) throw new RetryableError('broker-answered', 'the coordinator is loading');
        return ['g-nobody', `g-${topic}`];
      };
      const options = { groupId: `g-${topic}-0`, topics: [topic], sessionTimeoutMs: SESSION_MS, beside };
      const one = new KafkaLeadership(settings, options, (_, line) => lines.push(line));
      ends.push(() => one.stop());
      return one;
    };
    const refused = shard();
    const failure = await refused.join(new Asking()).catch((error: unknown) => error);
    await refused.stop();
    expect(failure).toMatchObject({ code: 'group-in-use' });
    expect(String(failure)).toContain(`g-${topic} (client test at`);
    expect(String(failure)).toContain(`stop that process first, because it publishes what g-${topic}-0 does`);
    await whole.confirm();
    const waits = async (...lines: string[]) => {
      const waiting = shard(lines);
      const joined = waiting.join(new Asking());
      joined.catch(() => undefined);
      await until('a wait', () => lines.some((line) => line.startsWith('waits to see whether')));
      return { waiting, joined };
    };
    const stopped = await waits();
    await stopped.waiting.stop();
    await expect(stopped.joined).rejects.toMatchObject({ code: 'stopped' });
    const leading = await waits();
    await whole.stop();
    await leading.joined;
    // One that can't ask leads: a broker may not let it.
    const refusal = new FatalError('not-authorized', 'grant DESCRIBE on group g-0');
    await leader(topic, { beside: () => Promise.reject(refusal) });
  });

  test('the leader stays in its group for longer than a session, as the same member with every partition', async () => {
    const topic = await made();
    const first = await leader(topic);
    const members = async () => {
      const group = await groupOf(topic);
      return { state: group?.state, ids: group?.members.map(({ memberId }) => memberId) };
    };
    const before = await members();
    expect(before).toMatchObject({ state: 'Stable', ids: [expect.any(String)] });
    const [member] = (await groupOf(topic))?.members ?? [];
    expect(AssignerProtocol.MemberAssignment.decode(member!.memberAssignment)?.assignment).toEqual({
      [topic]: [0, 1, 2],
    });
    for (const end = Date.now() + 1.5 * SESSION_MS; Date.now() < end; await sleep(100)) await first.confirm();
    expect(await members()).toEqual(before);
  });

  test('standbys that join and leave do not disturb the leader, and one leads once the leader stops', async () => {
    const topic = await made();
    const asking = new Asking();
    const first = leadership(topic);
    await first.join(asking);
    const second = leadership(topic, { standby: true });
    let leads = false;
    const waiting = second.join(new Asking()).then(() => {
      leads = true;
    });
    await settled(topic, 2);
    const late = leadership(topic, { standby: true });
    const stopped = late.join(new Asking()).catch((error: unknown) => error);
    await settled(topic, 3);
    await late.stop();
    expect(await stopped).toMatchObject({ code: 'stopped' });
    await settled(topic, 2);
    await first.confirm();
    expect([leads, asking.errors]).toEqual([false, []]);

    await first.stop();
    await waiting;
    await second.confirm();
    await expect(first.confirm()).rejects.toMatchObject({ code: 'stopped' });
  });

  test('after kill -9 of the leader a standby takes over; a restarted leader waits until its old session ends', async () => {
    const topic = await made();
    const killed = new Other(topic);
    await killed.says(/leading/);
    killed.signal('SIGKILL');
    const again = await otherLeader(topic);

    const waiting = leadership(topic, { standby: true }).join(new Asking());
    await settled(topic, 2);
    again.signal('SIGKILL');
    await waiting;
  });

  test('a process killed while it joined is chosen and found dead; the next waits until its session ends, and leads', async () => {
    const topic = await made();
    const first = await leader(topic);
    const standby = new Other(topic, { standby: true, sessionTimeoutMs: 60_000 });
    await settled(topic, 2);
    // Joins are answered together, so the members that join wait for the frozen standby.
    standby.signal('SIGSTOP');
    await first.stop();
    const joining = new Other(topic);
    await members(topic, 2);
    joining.signal('SIGKILL');
    // The next one waits for a session of its own length and a little longer. On a busy broker the killed one's ends late.
    const next = leadership(topic, { sessionTimeoutMs: 12_000 }).join(new Asking());
    await members(topic, 3);
    standby.signal('SIGCONT');
    await next;
    expect(joining.lines).toEqual(['joining']);
    expect(standby.lines).toEqual(['joining']);
  });

  test('a leader frozen past its session, while another leads, ends as fenced and asks in vain', async () => {
    const topic = await made();
    const frozen = await otherLeader(topic);
    const second = leadership(topic, { standby: true });
    const waiting = second.join(new Asking());
    await settled(topic, 2);
    frozen.signal('SIGSTOP');
    await waiting;
    const before = frozen.lines.length;
    frozen.signal('SIGCONT');
    await frozen.says(FENCED);
    await frozen.says(/^not confirmed: fenced/);
    await second.confirm();
    // The answer to a question from before the freeze may have waited for it.
    const confirmed = frozen.lines.slice(before).filter((line) => line.startsWith('confirmed'));
    expect(confirmed.length).toBeLessThan(2);
  });

  test('a leader frozen while another led and left is fenced as well', async () => {
    const topic = await made();
    const frozen = await otherLeader(topic);
    frozen.signal('SIGSTOP');
    const meanwhile = await leader(topic);
    await meanwhile.stop();
    frozen.signal('SIGCONT');
    await frozen.says(FENCED);
    await frozen.says(/^not confirmed: fenced/);
  });

  test('a leader frozen past its session, without any other, leads on', async () => {
    const topic = await made();
    const frozen = await otherLeader(topic);
    frozen.signal('SIGSTOP');
    await until('the end of its session', async () => (await groupOf(topic))?.members.length === 0);
    const before = frozen.lines.length;
    frozen.signal('SIGCONT');
    await frozen.says(/^confirmed/, before + 1);
    expect(frozen.lines.filter((line) => line.startsWith('failed'))).toEqual([]);
  });

  test('a stop while the group waits for a frozen member ends long before the group puts that member out', async () => {
    const topic = await made();
    const frozen = await otherLeader(topic, { sessionTimeoutMs: 60_000 });
    frozen.signal('SIGSTOP');
    const waiting = leadership(topic, { standby: true });
    const joining = waiting.join(new Asking()).catch((error: unknown) => error);
    await until('a rebalance', async () => (await groupOf(topic))?.state === 'PreparingRebalance');
    await waiting.stop();
    // The group still waits for the frozen member.
    expect((await groupOf(topic))?.state).toBe('PreparingRebalance');
    expect(await joining).toMatchObject({ code: 'stopped' });
  });

  test('topics that are missing are named', async () => {
    const topic = await made(1);
    const absent = freshTopic('absent');
    const failure = { code: 'topics-missing', message: expect.stringContaining(absent) };
    await expect(leader(topic, { topics: [topic, absent] })).rejects.toMatchObject(failure);
  });
});

describe.concurrent('a leader with an instance id', () => {
  const LONG_MS = 60_000;
  const WELL_BEFORE_MS = 40_000;

  test('restarted after kill -9, it leads long before its old session ends; another process waits or is refused', async () => {
    const topic = await made();
    const killed = await otherLeader(topic, { instanceId: 'one', sessionTimeoutMs: LONG_MS });
    killed.signal('SIGKILL');
    const from = performance.now();
    const again = await otherLeader(topic, { instanceId: 'one', sessionTimeoutMs: LONG_MS });
    expect(performance.now() - from).toBeLessThan(WELL_BEFORE_MS);
    await settled(topic, 1);

    const refused = leadership(topic, { instanceId: 'two', sessionTimeoutMs: LONG_MS });
    await expect(refused.join(new Asking())).rejects.toMatchObject({ code: 'group-in-use' });
    await settled(topic, 1);
    let leads = false;
    const standby = leadership(topic, { instanceId: 'two', sessionTimeoutMs: LONG_MS, standby: true });
    standby.join(new Asking()).then(() => {
      leads = true;
    }, quiet);
    await settled(topic, 2);
    const before = again.lines.length;
    await again.says(/confirmed/, before + 1);
    expect(leads).toBe(false);

    // The leader is killed while a standby waits, and is back before the standby's turn.
    again.signal('SIGKILL');
    await otherLeader(topic, { instanceId: 'one', sessionTimeoutMs: LONG_MS });
    expect(leads).toBe(false);
  });

  test('a second process with the same instance id puts the first one out', async () => {
    const topic = await made();
    const first = await otherLeader(topic, { instanceId: 'one' });
    await otherLeader(topic, { instanceId: 'one' });
    await first.says(/^failed fenced: .* instance id of this state folder/);
    await first.says(/^not confirmed: fenced/);
  });

  test('a stopped leader leaves its group at once', async () => {
    const topic = await made();
    const one = await leader(topic, { instanceId: 'one', sessionTimeoutMs: LONG_MS });
    await settled(topic, 1);
    await one.stop();
    expect((await groupOf(topic))?.members).toEqual([]);
  });
});

describe('offsets and note of a group', () => {
  const note = { space: 'a-space', epoch: 2, step: 900 };

  test('offsets and note are read back, by the next leader too', async () => {
    const topic = await made(2);
    const first = leadership(topic);
    expect(await first.committed()).toEqual({ offsets: {} });
    await first.join(new Asking({ 0: 20, 1: 30 }));
    // Where the group has no offsets yet, lag tools see the candidate's positions.
    expect(await first.committed()).toEqual({ offsets: { [topic]: { 0: 20, 1: 30 } } });
    await first.commit({ [topic]: { 0: { offset: 3 }, 1: { offset: 4 } } }, note);
    await first.commit({ [topic]: { 1: { offset: 5 } } }, { ...note, step: 950 });
    expect(await first.committed()).toEqual({
      offsets: { [topic]: { 0: 3, 1: 5 } },
      note: { ...note, step: 950 },
    });
    await first.stop();
    await expect(first.committed()).rejects.toMatchObject({ code: 'stopped' });

    const second = leadership(topic);
    await second.join(new Asking({ 0: 50, 1: 50 }));
    expect(await second.committed()).toEqual({
      offsets: { [topic]: { 0: 3, 1: 5 } },
      note: { ...note, step: 950 },
    });
    // The latest note counts, though its run of training has fewer steps.
    await second.commit({ [topic]: { 0: { offset: 1 } } }, { space: 'b-space', epoch: 1, step: 1 });
    expect((await second.committed()).note).toEqual({ space: 'b-space', epoch: 1, step: 1 });
  });

  test('offsets of several topics are read for every partition of each', async () => {
    const topics = [await made(3), await made(1), await made(2)];
    const group = { groupId: `g-${topics[0]}`, topics };
    const one = leadership(topics[0]!, group);
    await one.join(new Asking({ 0: 1, 1: 2, 2: 3 }));
    expect((await one.committed()).offsets).toEqual({
      [topics[0]!]: { 0: 1, 1: 2, 2: 3 },
      [topics[1]!]: { 0: 1 },
      [topics[2]!]: { 0: 1, 1: 2 },
    });
    const ours = new KafkaAdmin(settings);
    const offsets = await ours.groupOffsets(group.groupId, topics);
    await ours.close();
    expect(offsets.length).toBe(6);
  });

  test('lag tools see the latest committed offsets, also those of before this process led', async () => {
    const topic = await made(2);
    const one = leadership(topic);
    await one.commit({ [topic]: { 0: { offset: 1 }, 1: { offset: 2 } } });
    await one.commit({ [topic]: { 0: { offset: 3 }, 1: { offset: 4 } } });
    await one.join(new Asking());
    // A commit that the group could not be told is retried with the heartbeats.
    const stored = async () => {
      const [state] = await admin.fetchOffsets({ groupId: `g-${topic}`, topics: [topic] });
      return state?.partitions.map(({ offset }) => offset).sort();
    };
    await expect.poll(stored, { timeout: 150_000 }).toEqual(['3', '4']);
    await one.stop();
    expect(await stored()).toEqual(['3', '4']);
    await expect(one.commit({ [topic]: { 0: { offset: 5 } } })).resolves.toBeUndefined();
  });

  test('offsets that a tool committed without a note are read as they are', async () => {
    const topic = await made(1);
    await admin.setOffsets({ groupId: `g-${topic}`, topic, partitions: [{ partition: 0, offset: '7' }] });
    expect(await leadership(topic).committed()).toEqual({ offsets: { [topic]: { 0: 7 } } });
  });

  test('a waiting standby commits nothing', async () => {
    const topic = await made(1);
    const first = await leader(topic);
    await first.commit({ [topic]: { 0: { offset: 3 } } }, note);
    const second = leadership(topic, { standby: true });
    second.join(new Asking()).catch(quiet);
    await settled(topic, 2);
    await second.commit({ [topic]: { 0: { offset: 9 } } }, { ...note, space: 'b-space' });
    expect(await first.committed()).toEqual({ offsets: { [topic]: { 0: 3 } }, note });
    expect(await second.committed()).toEqual({ offsets: { [topic]: { 0: 3 } }, note });
  });
});
