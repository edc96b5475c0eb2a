import { spawnSync } from 'node:child_process';
import { cp, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect } from 'vitest';
import { type Faulty, MANY_CHECKPOINTS } from './deployment.ts';
import type { Dice } from './dice.ts';
import { withFailpoints } from './failpoints/plan.ts';
import { MIXED } from './load/load.ts';
import { form, furtherCase, seeded } from './seeded.ts';

let mounted: string | undefined;

afterEach(async () => {
  if (mounted !== undefined) spawnSync('umount', ['-l', mounted]);
  mounted = undefined;
});

/** A message that says where, what is wrong and what to do next. */
const CLEAR = /restore|replay|rebuilt|twhin check/;

describe('the store’s own files', () => {
  furtherCase(
    'a flipped byte in an SST file: it refuses with a clear message, or all is right after all',
    async ({ dice, deploy }) => {
      const deployed = await deploy({ graphs: ['engagement'], load: { ...MIXED, bad: 0 } });
      await deployed.feeder.send(form(2_000, 10_000));
      await deployed.catchUp();
      // Opening it again moves what was in the log to files of its own.
      await deployed.catchUp();
      const store = join(deployed.state, 'engagement');
      const aside = join(deployed.twhin.folder, 'aside');
      await cp(store, aside, { recursive: true });
      const outcomes: string[] = [];
      for (let flips = 0; flips < form(6, 60); flips++) {
        await rm(store, { recursive: true });
        await cp(aside, store, { recursive: true });
        const where = await flipByte(join(store, 'db'), dice);
        const running = deployed.run(['--until-caught-up'], { terse: true });
        const { code, stderr } = await running.ended;
        if (code === 0) outcomes.push(await rightAfterAll(deployed, where));
        else {
          expect({ where, code, stderr }).toMatchObject({ code: 1 });
          expect(stderr).toContain(store);
          expect(stderr).toMatch(CLEAR);
          expect(stderr).not.toMatch(/not expected|\n\s+at /);
          outcomes.push('refused');
        }
      }
      expect(outcomes).toContain('refused');
      await rm(store, { recursive: true });
      await cp(aside, store, { recursive: true });
      await deployed.catchUp();
      await deployed.verify();
    },
  );

  seeded(
    'a truncated log of writes: it goes on from an older commit, and ends as if nothing had happened',
    async ({ dice, deploy }) => {
      const deployed = await deploy({ graphs: ['engagement'] });
      for (let round = 0; round < form(2, 12, 1); round++) {
        const kill = { place: 'store.write', when: 'after', call: dice.between(6, 20), act: 'kill' } as const;
        await deployed.runUntilKilled(kill);
        const before = await deployed.consumed();
        await cutLog(join(deployed.state, 'engagement', 'db'), dice);
        const left = await deployed.stored();
        expect(left?.head.events.consumed ?? 0).toBeLessThan(before);
        await deployed.catchUp();
      }
      await deployed.verify({ repeatedLetters: true });
    },
  );

  seeded(
    'a machine that loses power while a checkpoint takes over: the log of writes is cut, the new file torn, the one before serves',
    async ({ dice, deploy }) => {
      const deployed = await deploy({ graphs: ['engagement'], config: MANY_CHECKPOINTS });
      const db = join(deployed.state, 'engagement', 'db');
      let torn = 0;
      for (let round = 0; round < form(3, 12, 1); round++) {
        const kill = { place: 'store.sync', when: 'before', call: dice.between(1, 4), act: 'kill' } as const;
        await deployed.runUntilKilled(kill);
        await cutLog(db, dice);
        const named = (await deployed.head())?.checkpoint ?? 0;
        for (const name of await readdir(db)) {
          if (!name.startsWith('checkpoint-') || Number.parseInt(name.slice(11), 10) <= named) continue;
          const { size } = await stat(join(db, name));
          await truncate(join(db, name), dice.below(size));
          torn++;
        }
        await deployed.catchUp();
      }
      expect(torn).toBeGreaterThan(0);
      await deployed.verify({ repeatedLetters: true });
    },
  );

  seeded(
    'a disk that is full for a checkpoint alone: it is said, and the journal does without',
    async ({ deploy }) => {
      const deployed = await deploy({ graphs: ['engagement'], config: MANY_CHECKPOINTS });
      const error = 'ENOSPC: no space left on device';
      const full = {
        place: 'checkpoint.block',
        when: 'after',
        call: 1,
        repeats: true,
        act: { error },
      } as const;
      deployed.feeder.start(200);
      const running = deployed.run([], { env: withFailpoints(full) });
      await running.says(/a checkpoint could not be written/);
      await deployed.progresses();
      await deployed.feeder.stop();
      await deployed.caughtUp();
      running.kill('SIGKILL');
      await running.ended;
      expect((await deployed.head())?.checkpoint).toBe(0);
      await deployed.catchUp();
      expect((await deployed.head())?.checkpoint).toBeGreaterThan(0);
      await deployed.verify({ repeatedLetters: true });
    },
  );

  furtherCase(
    'a full disk: it stops and names it, and goes on with room as if nothing had happened',
    async ({ deploy, skip }) => {
      const deployed = await deploy({ graphs: ['engagement'] });
      await mkdir(deployed.state, { recursive: true });
      const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', deployed.state], {
        encoding: 'utf8',
      });
      if (mount.status !== 0) {
        skip(`a small disk can't be mounted here: ${mount.error?.message ?? mount.stderr}`);
        return;
      }
      mounted = deployed.state;
      await deployed.feeder.send(form(20_000, 60_000));
      for (let attempt = 0; attempt < 2; attempt++) {
        const { code, stderr } = await deployed.run(['--until-caught-up'], { terse: true }).ended;
        expect({ code, stderr: stderr.slice(-2_000) }).toMatchObject({ code: 1 });
        expect(stderr).toContain(join(deployed.state, 'engagement'));
        expect(stderr).toMatch(/[Nn]o space left on device|ENOSPC/);
        expect(stderr).not.toMatch(/not expected|\n\s+at /);
      }
      const consumed = await deployed.consumed();
      expect(consumed).toBeLessThan(deployed.fed());
      expect(spawnSync('mount', ['-o', 'remount,size=256m', deployed.state]).status).toBe(0);
      await deployed.catchUp();
      await deployed.verify({ repeatedLetters: true });
    },
  );
});

/** Flips one bit somewhere in one of the store's files of data; gives the place. */
async function flipByte(db: string, dice: Dice): Promise<string> {
  const files = (await readdir(db)).filter((name) => name.endsWith('.sst')).sort();
  const path = join(db, dice.pick(files));
  const at = dice.below((await stat(path)).size);
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << dice.below(8));
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
  return `${path} at ${at}`;
}

/** Cuts the end off the newest log of writes, as a machine does that loses power. */
async function cutLog(db: string, dice: Dice): Promise<void> {
  const logs = (await readdir(db)).filter((name) => name.endsWith('.log')).sort();
  const path = join(db, logs.at(-1) ?? '');
  const { size } = await stat(path);
  expect(size).toBeGreaterThan(0);
  await truncate(path, Math.floor(size * (0.1 + 0.8 * dice.next())));
}

/** A run that ended well is right in all it holds; or the damage lies where it did not look, and a check finds it. */
async function rightAfterAll(deployed: Faulty, where: string): Promise<string> {
  try {
    await deployed.verify();
    return 'right';
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    expect({ where, reason }).toMatchObject({ reason: expect.stringMatching(/[Cc]orrupt|checksum/) });
    const { code, stdout, stderr } = await deployed.twhin.end(['check', '--graph', 'engagement']);
    expect({ where, code }).toEqual({ where, code: 1 });
    expect(stdout + stderr).toMatch(CLEAR);
    return 'found by a check';
  }
}
