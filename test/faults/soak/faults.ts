import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SuiteBrokers } from '../brokers.ts';
import type { Faulty } from '../deployment.ts';
import type { Dice } from '../dice.ts';
import { drawKill, withFailpoints } from '../failpoints/plan.ts';
import type { Proxies, Weather } from '../proxy.ts';
import type { Supervisor } from './supervisor.ts';

/** What faults happen to. */
export interface Scene {
  readonly faulty: Faulty;
  readonly supervisor: Supervisor;
  readonly brokers: SuiteBrokers;
  readonly proxies: Proxies;
  readonly dice: Dice;
}

/** A kind of fault, and how often it comes up beside the others. */
export interface Fault {
  readonly kind: string;
  readonly weight: number;
  /** Resolves when the fault itself is over; what it did may go on. */
  readonly happen: (scene: Scene) => Promise<void>;
}

export const FAULTS: readonly Fault[] = [
  { kind: 'kill -9 at a moment', weight: 6, happen: async ({ supervisor }) => supervisor.end('SIGKILL') },
  {
    kind: 'kill -9 at a place',
    weight: 4,
    happen: async ({ supervisor, dice }) => {
      supervisor.env = withFailpoints(drawKill(dice));
      supervisor.end('SIGKILL');
    },
  },
  { kind: 'SIGTERM and start', weight: 1, happen: async ({ supervisor }) => supervisor.end('SIGTERM') },
  {
    kind: 'SIGSTOP, CONT',
    weight: 3,
    happen: async ({ supervisor, dice }) => {
      const { running } = supervisor;
      running?.kill('SIGSTOP');
      await sleep(dice.between(500, 9_000));
      running?.kill('SIGCONT');
    },
  },
  { kind: 'broker kill -9', weight: 3, happen: (scene) => killBrokers(scene, 1) },
  { kind: 'two brokers kill -9', weight: 1, happen: (scene) => killBrokers(scene, 2) },
  {
    kind: 'broker SIGSTOP, CONT',
    weight: 2,
    happen: async ({ brokers, dice }) => {
      const node = dice.pick(brokers.nodes);
      node.signal('SIGSTOP');
      await sleep(dice.between(1_000, 8_000));
      node.signal('SIGCONT');
    },
  },
  {
    kind: 'dropped connections',
    weight: 3,
    happen: async ({ proxies, dice }) => {
      for (let drops = dice.between(1, 5); drops > 0; drops--) {
        dice.pick(proxies.each).drop();
        await sleep(dice.between(50, 800));
      }
    },
  },
  {
    kind: 'slow lines',
    weight: 2,
    happen: (scene) => weather(scene, { latencyMs: scene.dice.between(50, 400) }),
  },
  {
    kind: 'narrow lines',
    weight: 1,
    happen: (scene) => weather(scene, { bytesPerS: scene.dice.between(30_000, 200_000) }),
  },
  { kind: 'silent lines', weight: 2, happen: (scene) => weather(scene, { blackHole: true }) },
  {
    kind: 'slow disk',
    weight: 1,
    happen: async ({ supervisor, dice }) => {
      const act = { delayMs: dice.between(200, 1_500) };
      supervisor.env = withFailpoints({ place: 'store.write', when: 'before', call: 1, repeats: true, act });
      supervisor.end('SIGKILL');
    },
  },
  {
    kind: 'store deleted',
    weight: 1,
    happen: async ({ supervisor, faulty, dice }) => {
      const folder = join(faulty.state, dice.pick(faulty.graphs));
      // Whoever looks at the store meanwhile may be making a file in it.
      supervisor.between = () => rm(folder, { recursive: true, force: true, maxRetries: 10 });
      supervisor.end('SIGKILL');
    },
  },
];

/** One of the kinds, by weight. */
export function drawFault(dice: Dice): Fault {
  return dice.pick(FAULTS.flatMap((fault) => Array<Fault>(fault.weight).fill(fault)));
}

async function killBrokers({ brokers, dice }: Scene, count: number): Promise<void> {
  const first = dice.below(brokers.nodes.length);
  const nodes = brokers.nodes.filter(
    (_, i) => (i - first + brokers.nodes.length) % brokers.nodes.length < count,
  );
  for (const node of nodes) await node.kill();
  await sleep(dice.between(1_000, 8_000));
  await Promise.all(nodes.map((node) => node.restart()));
}

async function weather({ proxies, dice }: Scene, change: Partial<Weather>): Promise<void> {
  proxies.change(change);
  await sleep(dice.between(2_000, 10_000));
  if (change.blackHole) proxies.clear();
  else proxies.change({});
}
