import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { deployed } from './deployed.ts';
import type { Twhin } from './twhin.ts';

let twhin: Twhin;

beforeEach(async () => {
  twhin = await deployed();
});

describe('twhin evaluate', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s in the middle: exit 1, no half of an export, no temporary folder',
    async (signal) => {
      const [temporary, triples, to] = ['tmp', 'triples.txt', 'export'].map((name) =>
        join(twhin.folder, name),
      );
      await mkdir(temporary!);
      const lines = Array.from({ length: 2_000 }, (_, i) => `e${i % 400}\tr${i % 3}\te${(7 * i) % 400}`);
      await writeFile(triples!, `${lines.join('\n')}\n`);
      const files = ['--train', triples!, '--test', triples!];
      const running = twhin.start(['evaluate', 'kg', ...files, '--passes', '100000', '--export', to!], {
        env: { TMPDIR: temporary! },
      });
      await running.says(/"msg":"store is new"/);
      expect(await readdir(temporary!)).toHaveLength(1);
      running.kill(signal);
      const { code, stdout, stderr } = await running.ended;
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toContain('twhin: [interrupted] ');
      expect(await readdir(temporary!)).toEqual([]);
      expect(existsSync(to!)).toBe(false);
      expect((await readdir(twhin.folder)).filter((name) => name.startsWith('export'))).toEqual([]);
    },
  );

  test('SIGINT while triples are read: exit 1, and no word of triples that are missing', async () => {
    const running = twhin.start(['evaluate', 'kg', '--train', '-', '--test', 'absent.txt'], {
      stdin: 'open',
    });
    // Far more than a pipe holds: once it is taken, the command reads.
    const text = 'a\tb\tc\n'.repeat(200_000);
    await new Promise<void>((taken) => {
      running.child.stdin.write(text, () => taken());
    });
    running.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('twhin: [interrupted] ');
  });
});
