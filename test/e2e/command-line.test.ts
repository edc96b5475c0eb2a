import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { Twhin } from './twhin.ts';

let twhin: Twhin;

beforeEach(async () => {
  twhin = await Twhin.create(inject('brokers'));
});
afterEach(() => twhin.remove());

/** What is tested here is the process. */
const ALONE = { alone: true };
const COMMANDS = [
  'topics plan',
  'topics apply',
  'feed',
  'run',
  'stats',
  'show',
  'doctor',
  'init',
  'evaluate',
  'tune',
];

describe('the command line', () => {
  test('help: every command is listed, and has help with an example that begins with its name', async () => {
    const help = await twhin.ok(['--help']);
    for (const command of COMMANDS) {
      const words = command.split(' ');
      expect(help).toContain(`  ${words[0]}`);
      const own = await twhin.ok(['help', ...words.slice(0, 1)]);
      const deepest = words.length === 1 ? own : await twhin.ok([...words, '--help']);
      expect(deepest).toMatch(new RegExp(`Example:\\n(.*\\n)*?  .*twhin ${command}`));
    }
  });

  test('wrong usage: exit 2, on stderr, without a stack', async () => {
    for (const [args, said] of [
      [[], /Usage: twhin/],
      [['nonsense'], /unknown command 'nonsense'/],
      [['run', '--nonsense'], /unknown option '--nonsense'/],
      [['feed', 'x'], /--topic/],
      [['feed', 'x', '--topic', 'follow', '--rate', '-3'], /--rate.*-3/],
      [['feed', 'x', '--topic', 'follow', '--format', 'xml'], /--format.*xml/],
      [['feed', join(twhin.folder, 'absent'), '--topic', 'follow'], /absent/],
      [['feed', '-', '--topic', 'nonsense'], /nonsense/],
      [['run', '--graph', 'nonsense'], /nonsense.*engagement, follow/],
      [['show', 'nonsense'], /nonsense/],
      [['stats', '--graph', 'nonsense', '--json'], /nonsense/],
    ] as const) {
      const { code, stdout, stderr } = await twhin.end(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(said);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });

  test('--json: one object on stdout and nothing else, also where there is nothing yet', async () => {
    const plan = Object(await twhin.json(['topics', 'plan'], ALONE));
    expect(plan.applied).toBe(false);
    expect(plan.actions).toHaveLength(10);
    expect(Object(await twhin.json(['topics', 'apply'], ALONE)).applied).toBe(true);
    expect(Object(await twhin.json(['topics', 'apply'], ALONE)).actions).toEqual([]);
    const nothing = await twhin.end(['stats', '--json']);
    expect([nothing.code, nothing.stdout]).toEqual([1, '']);
    expect(nothing.stderr).toContain(
      '[store-missing] there is no store of engagement, follow in the state folder',
    );
    await twhin.ok(['run', '--until-caught-up']);
    const stats = Object(await twhin.json(['stats', '--digest'], ALONE)).graphs;
    expect(Object.keys(stats)).toEqual(['engagement', 'follow']);
    expect(stats.follow).toMatchObject({
      entities: { user: 0, ad: 0, advertiser: 0 },
      edges: { follows: 0, clicks: 0, promotes: 0 },
      events: { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
      ...{ step: 0, outbox: 0, offsets: {}, fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) },
    });
    const stdin = '{"followerId":1,"followedId":2,"action":"follow","at":1704067200000}\nnonsense\n';
    const fed = await twhin.json(['feed', '-', '--topic', 'follow'], { stdin });
    expect(fed).toMatchObject({ sent: 1, bad: 1, reasons: { 'not-json': 1 } });
    const doctor = Object(await twhin.json(['doctor']));
    expect(doctor).toMatchObject({ ok: true, findings: expect.any(Array) });
  });

  test('an entity nobody named: exit 1, what was looked at, nothing on stdout', async () => {
    await twhin.ok(['run', '--create-topics', '--until-caught-up']);
    const { code, stdout, stderr } = await twhin.end(['show', 'user:nobody', '--json']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('user:nobody is not in engagement, follow');
  });

  test('init writes a configuration that works, and never over one', async () => {
    const env = { TWHIN_CONFIG: '' };
    await twhin.ok(['init']);
    const path = join(twhin.folder, 'twhin.config.ts');
    expect(existsSync(path)).toBe(true);
    const written = readFileSync(path, 'utf8');
    expect(Object(await twhin.json(['topics', 'plan'], { ...ALONE, env })).actions).toHaveLength(10);
    expect(await twhin.end(['init'])).toMatchObject({ code: 2, stdout: '' });
    expect(readFileSync(path, 'utf8')).toBe(written);
  });
});
