import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { realWorld, type World } from '../../src/cli/context.ts';
import type { LogAdmin } from '../../src/pipeline/ports.ts';
import { portWith } from '../fixtures/port.ts';
import { json, own, type Place, place, refused, type Said } from './captured.ts';

const DAY = 86_400_000;
const SHOP = `export default ({ z, defineTopic, idField, instantField, entityKey }) => ({
  topicPrefix: 't.',
  topics: [{ name: 'clicks', topic: 'web.clicks.v3', retentionMs: 'unlimited', partitions: 2 }, { name: 'visits' }].map((names) =>
    defineTopic({
      ...names,
      schema: z.object({ a: idField, b: idField, at: instantField }),
      key: ({ a }) => a,
      changes: ({ a, b, at }) => [
        { lhs: entityKey('user', a), relation: 'follows', rhs: entityKey('user', b), at, removed: false },
      ],
    }),
  ),
  graphs: { shop: { topics: ['clicks', 'visits'], relations: ['follows'] } },
})`;

/** A log that removes records as the settings of its topics say, or says so; `over` replaces parts of its admin. */
function worldWith(over: Partial<LogAdmin> = {}): World {
  return {
    ...realWorld,
    connect: async (settings, log) => {
      const connection = await connect(settings, log);
      const admin = portWith(connection.admin(), over);
      return { ...connection, keepsAll: false, admin: () => admin };
    },
  };
}

let here: Place;
async function shop(world: World): Promise<Place> {
  const made = await own(place({}, world));
  await writeFile(join(made.folder, 'twhin.config.ts'), SHOP);
  return made;
}
beforeEach(async () => {
  here = await shop(worldWith());
});

const told = ({ out }: Said, what: string) =>
  out
    .filter((line) => line.slice(6, 6 + what.length + 1) === `${what} `)
    .map((line) => `${line.slice(0, 4)} ${line.slice(27)}`);

describe('a topic of others', () => {
  const MISSING =
    'web.clicks.v3 does not exist, and it is a topic of others: ask its owner, or create it with: twhin topics apply --create web.clicks.v3';

  test('is created only where somebody asks for it by its name', async () => {
    const planned = await here.run('topics', 'plan');
    expect([planned.code, planned.out]).toEqual([0, expect.arrayContaining([MISSING])]);
    expect(planned.out.at(-1)).toBe('5 changes; make them with: twhin topics apply');
    expect(existsSync(join(here.folder, 'log'))).toBe(false);
    expect((await here.run('topics', 'apply')).out).toContain(MISSING);
    const again = await here.run('topics', 'apply');
    expect(again.out.at(-1)).toBe('nothing to change; topics of others are missing');
    await refused(
      here.run('run', '--create-topics', '--until-caught-up'),
      1,
      /topics missing at .*: web\.clicks\.v3; twhin topics apply creates them, and says what/,
    );
    expect(told(await here.run('doctor'), 'topics')).toContain(`FAIL ${MISSING}`);
    const fed = await here.run('feed', '-', '--topic', 'clicks');
    expect(fed.err.join('\n')).toContain('create it with: twhin topics apply --create web.clicks.v3');

    for (const name of ['visits', 'nothing']) {
      const said = `expected one of web.clicks.v3; seen ${name}`;
      await refused(here.run('topics', 'apply', '--create', name), 2, said);
    }
    const create = 'create web.clicks.v3: 2 partitions, cleanup.policy=delete, retention.ms=-1';
    expect((await here.run('topics', 'plan', '--create', 'clicks')).out).toContain(create);
    expect((await here.run('topics', 'plan')).out).toContain(MISSING);
    expect((await here.run('topics', 'apply', '--create', 'web.clicks.v3')).out).toEqual([
      create,
      expect.stringMatching(/^note: Events are kept for 7 days on t\.visits\. /),
      expect.stringMatching(
        /^note: Erasures are kept for 7 days on t\.erasure, and events longer on web\.clicks\.v3\. /,
      ),
      '1 changes made',
    ]);
    expect((await here.run('topics', 'apply')).out.at(-1)).toMatch(/^nothing to change at /);
  });

  test('can be fed, read and read again by either of its names', async () => {
    await here.run('topics', 'apply', '--create', 'clicks');
    const file = join(here.folder, 'clicks.ndjson');
    await writeFile(
      file,
      [1, 2, 3].map((b) => JSON.stringify({ a: 0, b, at: 1_700_000_000_000 })).join('\n'),
    );
    expect((await here.run('feed', file, '--topic', 'web.clicks.v3')).out).toEqual([
      expect.stringMatching(/^3 events sent to web\.clicks\.v3 /),
    ]);
    expect(await here.run('run', '--until-caught-up')).toMatchObject({ code: 0, err: [] });
    expect(json(await here.run('stats', '--json'))).toMatchObject({
      graphs: { shop: { edges: { follows: 3 } } },
    });
    expect(await here.run('run', '--until-caught-up', '--reread', 'clicks')).toMatchObject({
      code: 0,
      err: [],
    });
    const from = 'clicks/0:0,web.clicks.v3/1:0';
    const replayed = await here.run(...'replay --graph shop --into part --json --from'.split(' '), from);
    expect([replayed.code, replayed.err]).toEqual([0, []]);
    expect(json(replayed)).toMatchObject({ events: 3 });
  });
});

describe('what twhin doctor says of topics', () => {
  const differing = worldWith({
    describe: async (names) =>
      names.map((name) => {
        const other = name === 't.visits' || name === 'web.clicks.v3';
        return {
          name,
          partitions: other ? 12 : 4,
          configs: { 'cleanup.policy': 'delete', 'retention.ms': String((other ? 2 : 30) * DAY) },
        };
      }),
  });

  test('that differ in events is information, and that differ in vectors is wrong', async () => {
    const there = await shop(differing);
    const said = await there.run('doctor');
    expect(said.code).toBe(1);
    const topics = told(said, 'topics');
    expect(topics).toContain(
      'info leave t.visits as it is: 12 partitions here, 4 declared; any number works',
    );
    expect(topics).toContain(
      'info leave t.visits as it is: retention 2 days here, 7 days declared: a replay can only go back 2 days',
    );
    expect(topics.filter((line) => line.startsWith('FAIL'))).toEqual([
      'FAIL settings differ on t.embeddings.shop, t.model.shop, t.dead-letter; see twhin topics plan, then twhin topics apply',
    ]);
    expect(topics.join('\n')).toContain(
      'info Events are kept for 2 days on web.clicks.v3, t.visits. A store that',
    );
  });

  test('is well where only event topics differ', async () => {
    await here.run('topics', 'apply', '--create', 'clicks');
    const said = await here.run('doctor');
    expect([said.code, said.err]).toEqual([0, []]);
    expect(told(said, 'topics').at(-1)).toBe('ok   all 6 are there');
    const found = Object(json(await here.run('doctor', '--json')));
    expect(found.ok).toBe(true);
    expect(found.findings).toContainEqual({
      what: 'topics',
      state: 'info',
      detail: expect.stringContaining('take backups with twhin backup, or raise retention.ms'),
    });
  });

  test('has an end where the brokers answer one question and not the next', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const there = await shop(
        worldWith({
          describe: () => {
            setImmediate(() => vi.advanceTimersByTime(30_000));
            return new Promise(() => undefined);
          },
        }),
      );
      const said = await there.run('doctor');
      expect(said.code).toBe(1);
      expect(told(said, 'brokers')[0]).toMatch(/^ok /);
      expect(told(said, 'topics')).toEqual([
        expect.stringMatching(/^FAIL topics at the embedded file log in .*: no answer within 30 s$/),
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});
