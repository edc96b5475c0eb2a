import { readdirSync, readlinkSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogConnection } from '../../src/adapters/connect.ts';
import { realWorld, type World } from '../../src/cli/context.ts';
import { FatalError } from '../../src/errors/errors.ts';
import { own, type Place, place, succeeded } from './captured.ts';
import { filledPlace, shardedConfig } from './filled-place.ts';

const GRAPH = ['--graph', 'engagement'];
const WHOLE = 'twhin.config.ts';
const CUT = 'cut.config.ts';

/** What ends a connection, a reader or a sink. */
const ENDS = new Set(['close', 'stop', String(Symbol.asyncDispose)]);

/** A world in which the first call of a name at the log fails, and which knows what of the log is open. */
class FailingWorld implements World {
  readonly openStore = realWorld.openStore;
  readonly logTo = realWorld.logTo;
  readonly open = new Map<string, number>();
  /** Folder of the embedded log. */
  log = '';
  /** Such as `reader.ranges`. */
  readonly called = new Set<string>();
  readonly #failing: string | undefined;

  constructor(failing: string | undefined) {
    this.#failing = failing;
  }

  readonly connect: World['connect'] = async (settings, log) => {
    const embedded = { ...settings, brokers: [`file:${this.log}`] };
    const isFile = settings.brokers[0]?.startsWith('file:') === true;
    const connection = await realWorld.connect(isFile ? settings : embedded, log);
    return this.#watched('connection', {
      ...connection,
      log: (options) => this.#watched('reader', connection.log(options)),
      sink: (options) => this.#watched('sink', connection.sink(options)),
      admin: () => this.#failingNow('admin', connection.admin()),
    } satisfies LogConnection);
  };

  /** Counts it as open until it is closed, also where the closing fails. */
  #watched<T extends object>(kind: string, what: T): T {
    this.open.set(kind, (this.open.get(kind) ?? 0) + 1);
    let closed = false;
    return this.#failingNow(kind, what, (name) => {
      if (closed || !ENDS.has(name)) return;
      closed = true;
      this.open.set(kind, (this.open.get(kind) ?? 0) - 1);
    });
  }

  #failingNow<T extends object>(kind: string, what: T, heard: (name: string) => void = () => undefined): T {
    return new Proxy(what, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        const method = value.bind(target);
        return (...given: unknown[]) => {
          heard(String(name));
          const result: unknown = method(...given);
          if (!(result instanceof Promise)) return result;
          const call = `${kind}.${String(name)}`;
          const first = !this.called.has(call);
          this.called.add(call);
          if (!first || call !== this.#failing) return result;
          const fails = () => Promise.reject(new FatalError('timeout', `${call} failed`));
          return result.then(fails, fails);
        };
      },
    });
  }
}

/** Files below a folder that this process has open. */
function openFiles(folder: string): string[] {
  // Elsewhere no file system tells.
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(join('/proc/self/fd', descriptor));
      return path.startsWith(folder) ? [path] : [];
    } catch {
      // The descriptor of this very look.
      return [];
    }
  });
}

let made: Place;
/** A graph with a store and a replay of it, and a graph cut into shards with the same. */
beforeAll(async () => {
  made = await filledPlace();
  await writeFile(join(made.folder, CUT), shardedConfig(2));
  const replay = ['replay', ...GRAPH, '--into', 'shadow'];
  await succeeded(made.run(...replay));
  const cut = made.configured(CUT);
  for (const argv of [['topics', 'apply'], ['run', ...GRAPH, '--until-caught-up'], replay])
    await succeeded(cut(...argv));
  // More than the stores have read.
  await succeeded(made.run('feed', join(made.folder, 'events.ndjson'), '--topic', 'engagement'));
});
afterAll(() => made.remove());

const COMMANDS: readonly (readonly [file: string, ...argv: string[]])[] = [
  [WHOLE, 'doctor'],
  [WHOLE, 'topics', 'apply'],
  [WHOLE, 'feed', 'events.ndjson', '--topic', 'engagement'],
  [WHOLE, 'run', ...GRAPH, '--until-caught-up', '--create-topics'],
  [CUT, 'run', ...GRAPH, '--until-caught-up'],
  [WHOLE, 'candidates', '--surface', 'home', '--out', 'lists.ndjson'],
  [WHOLE, 'restore', '--from-topic', ...GRAPH, '--into', 'back'],
  [WHOLE, 'replay', ...GRAPH, '--into', 'again'],
  [CUT, 'replay', ...GRAPH, '--into', 'again'],
  [WHOLE, 'compare', 'live', 'shadow', ...GRAPH],
  [WHOLE, 'promote', 'shadow', ...GRAPH],
  [CUT, 'promote', 'shadow', ...GRAPH],
  [WHOLE, 'evaluate', ...GRAPH, '--file', 'events.ndjson'],
];

const LOOK_MS = 20;
const MOST_LOOKS = 250;

/** Runs a command in a copy of the place. Gives what it left open, and which calls of the log it made. */
async function leaves(
  file: string,
  argv: readonly string[],
  {
    failing,
    damaged,
    elsewhere = {},
  }: { failing?: string; damaged?: string; elsewhere?: Record<string, string> } = {},
) {
  const world = new FailingWorld(failing);
  const here = await own(place(elsewhere, world));
  world.log = join(here.folder, 'log');
  const listeners = process.listenerCount('SIGINT');
  await cp(made.folder, here.folder, { recursive: true });
  if (damaged !== undefined)
    await writeFile(join(here.folder, 'state', damaged, 'db', 'CURRENT'), 'nonsense\n');
  const asked = argv.map((word) => (word.endsWith('.ndjson') ? join(here.folder, word) : word));
  const { code, err } = await here.configured(file)(...asked);
  const open = [...world.open].flatMap(([kind, count]) => (count > 0 ? [kind] : []));
  // A read of the embedded log that was under way when the log was closed opens and closes its file for itself.
  let files = openFiles(here.folder);
  for (let looks = 0; files.length > 0 && looks < MOST_LOOKS; looks++) {
    await sleep(LOOK_MS);
    files = openFiles(here.folder);
  }
  return {
    code,
    err,
    called: world.called,
    left: [...open, ...files],
    listeners: process.listenerCount('SIGINT') - listeners,
  };
}

const named = (commands: typeof COMMANDS) =>
  commands.map(([file, ...argv]) => [`${file}: twhin ${argv.join(' ')}`, file, argv] as const);

describe('a command closes what it opened, whichever call of the log fails', () => {
  test.each(named(COMMANDS))('%s', async (_, file, argv) => {
    const { code, err, called } = await leaves(file, argv);
    expect({ code, err }).toEqual({ code: 0, err });
    expect([...called].some((call) => /^connection\.(close|Symbol)/.test(call))).toBe(true);
    for (const failing of called) {
      const { left, listeners, err } = await leaves(file, argv, { failing });
      expect({ failing, left, listeners, err }).toEqual({ failing, left: [], listeners: 0, err });
    }
  });
});

/** The last of several stores that a command opens: those before it are open by then. */
const DAMAGED: readonly (readonly [damaged: string, file: string, ...argv: string[]])[] = [
  ['engagement/stores/shadow', WHOLE, 'compare', 'live', 'shadow', ...GRAPH],
  ['engagement-1/stores/shadow', CUT, 'promote', 'shadow', ...GRAPH],
  ['engagement-1', CUT, 'run', ...GRAPH, '--until-caught-up'],
  ['engagement-1', CUT, 'reshard', ...GRAPH, '--to', '3'],
  ['engagement-1', CUT, 'stats'],
];

describe('a command closes what it opened where a store is damaged', () => {
  test.each(
    DAMAGED.map(
      ([damaged, file, ...argv]) => [`${damaged}: twhin ${argv.join(' ')}`, damaged, file, argv] as const,
    ),
  )('%s', async (_, damaged, file, argv) => {
    const { code, left, listeners, err } = await leaves(file, argv, { damaged });
    expect({ code, left, listeners, err }).toEqual({ code: 1, left: [], listeners: 0, err });
  });
});
