import { UsageError } from '../src/errors/errors.ts';
import type { Bench } from './harness.ts';

/** All benches by name. Each is loaded alone: an earlier commit may lack a file that another bench imports. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  kernel: async () => (await import('./kernel.ts')).kernel,
  scan: async () => (await import('./scan.ts')).scan,
  kg: async () => (await import('./kg.ts')).kg,
  streams: async () => (await import('./streams.ts')).streams,
  peer: async () => (await import('./peer.ts')).peer,
  e2e: async () => (await import('./e2e.ts')).e2e,
  shards: async () => (await import('./shards.ts')).shards,
  serve: async () => (await import('./serve.ts')).serve,
  memory: async () => (await import('./memory.ts')).memory,
  recovery: async () => (await import('./recovery.ts')).recovery,
  growth: async () => (await import('./growth.ts')).growth,
  size: async () => (await import('./size.ts')).size,
};

/** @throws naming the benches where there is none of this name. */
export async function benchNamed(name: string): Promise<Bench> {
  const load = BENCHES[name];
  if (load === undefined)
    throw new UsageError(`expected one of ${Object.keys(BENCHES).join(', ')}; seen ${name}`);
  return load();
}

export function allBenches(): Promise<readonly Bench[]> {
  return Promise.all(Object.values(BENCHES).map((load) => load()));
}
