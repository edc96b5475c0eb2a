import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { realWorld, type World } from '../../src/cli/context.ts';
import { main } from '../../src/cli/main.ts';
import { CONFIG_FILE } from '../../src/config/load.ts';

/** What a command said, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
  /** Lines of the log, JSON each. */
  readonly log: string[];
}

/** A place of its own for commands to run in: folder, empty configuration, embedded log and stores. */
export interface Place {
  readonly folder: string;
  run(...argv: string[]): Promise<Said>;
  /** `run` with another configuration file of the place. */
  configured(file: string): (...argv: string[]) => Promise<Said>;
  remove(): Promise<void>;
}

export async function place(env: Record<string, string> = {}, world: World = realWorld): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-cli-'));
  await writeFile(join(folder, CONFIG_FILE), 'export default {};\n');
  const surroundings = {
    KAFKA_BROKERS: `file:${join(folder, 'log')}`,
    TWHIN_STATE: join(folder, 'state'),
    // Files run side by side, and the usual port is there once.
    TWHIN_HTTP: 'off',
    ...env,
  };
  const run =
    (own: Record<string, string>) =>
    async (...argv: string[]): Promise<Said> => {
      const out: string[] = [];
      const err: string[] = [];
      const log: string[] = [];
      for (const [name, value] of Object.entries({
        TWHIN_TOPIC_PREFIX: undefined,
        TWHIN_CONFIG: undefined,
        ...surroundings,
        ...own,
      })) {
        vi.stubEnv(name, value);
      }
      const cwd = vi.spyOn(process, 'cwd').mockReturnValue(folder);
      try {
        const output = {
          out: (line: string) => out.push(...line.split('\n')),
          err: (line: string) => err.push(...line.split('\n')),
          status: () => undefined,
        };
        const code = await main(argv, output, {
          ...world,
          logTo: () => ({ write: (line) => log.push(line) }),
        });
        return { code, out, err, log };
      } finally {
        cwd.mockRestore();
        vi.unstubAllEnvs();
      }
    };
  return {
    folder,
    run: run({}),
    configured: (file) => run({ TWHIN_CONFIG: join(folder, file) }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A place for the running test alone, which is removed after it. */
export async function own(making: Promise<Place>): Promise<Place> {
  const made = await making;
  onTestFinished(() => made.remove());
  return made;
}

/** What a command printed. */
export const text = ({ out, err }: Said): string => [...out, ...err].join('\n');

/** What a command said that must end well, and print these parts. */
export async function succeeded(running: Promise<Said>, ...parts: (string | RegExp)[]): Promise<Said> {
  const said = await running;
  expect([said.code, said.code === 0 ? '' : text(said)]).toEqual([0, '']);
  for (const part of parts) expect(text(said)).toMatch(part);
  return said;
}

/** What a command said that must end with this code, and print these parts on stderr. */
export async function refused(
  running: Promise<Said>,
  code: number,
  ...parts: (string | RegExp)[]
): Promise<Said> {
  const said = await running;
  expect([said.code, text(said)]).toEqual([code, text(said)]);
  for (const part of parts) expect(said.err.join('\n')).toMatch(part);
  return said;
}

/** The one JSON object a command said. */
export function json({ out }: Said): unknown {
  if (out.length !== 1)
    throw new Error(`expected one line on stdout, seen ${out.length}:\n${out.join('\n')}`);
  return JSON.parse(out[0] ?? '');
}
