import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** The demo on the embedded log, as a person runs it; `signalOn`: sends SIGINT once this is said. */
function demo(args: readonly string[], signalOn?: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ['demo/main.ts', '--embedded', ...args], { cwd: ROOT });
  let said = '';
  let signalled = false;
  const hear = (bytes: Buffer) => {
    said += bytes.toString();
    if (signalOn === undefined || signalled || !said.includes(signalOn)) return;
    signalled = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

const LISTS = /(?:home|who-to-follow): ([\d.]+) %; of what is popular ([\d.]+) %, by chance ([\d.]+) %/g;

function numbers(text: string, pattern: RegExp): number[][] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1).map(Number));
}

describe('the demo', () => {
  it('finds the planted communities, and ranks better than popularity and chance', async () => {
    const { code, said } = await demo(['--events', '30000', '--seed', '5']);
    expect(code, said).toBe(0);
    const ratios = numbers(said, /: ([\d.]+) times chance/g).flat();
    expect(ratios).toHaveLength(2);
    for (const ratio of ratios) expect(ratio).toBeGreaterThan(5);
    const ranks = numbers(said, /MRR (\.\d+) \(by popularity (\.\d+), by chance (\.\d+)\)/g);
    expect(ranks).toHaveLength(2);
    for (const [model = 0, popularity = 1, chance = 1] of ranks) {
      expect(model).toBeGreaterThan(popularity);
      expect(model).toBeGreaterThan(chance);
    }
    expect(said).toMatch(/Lists, made live: http:\/\/127\.0\.0\.1:\d+/);
    const shares = numbers(said, LISTS);
    expect(shares).toHaveLength(2);
    for (const [served = 0, popular = 1, chance = 1] of shares) {
      expect(served).toBeGreaterThan(3 * popular);
      expect(served).toBeGreaterThan(3 * chance);
    }
  });

  it('stops cleanly when interrupted', async () => {
    const { code, said } = await demo([], ' feeding ');
    expect(code, said).toBe(130);
    expect(said).toContain('Stopping');
    expect(said).not.toContain('What came out');
  });

  it('says what is wrong with its options', async () => {
    const { code, said } = await demo(['--events', 'many']);
    expect(code).toBe(2);
    expect(said).toContain('--events: expected a whole number');
  });
});
