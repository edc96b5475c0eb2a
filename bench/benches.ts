import { e2e } from './e2e.ts';
import { frontier } from './frontier.ts';
import { growth } from './growth.ts';
import type { Bench } from './harness.ts';
import { kernel } from './kernel.ts';
import { kg } from './kg.ts';
import { memory } from './memory.ts';
import { recovery } from './recovery.ts';
import { scan } from './scan.ts';
import { serve } from './serve.ts';
import { servedMemory } from './served-memory.ts';
import { shards } from './shards.ts';
import { streams } from './streams.ts';
import { threads } from './threads.ts';

/** All benches. */
export const BENCHES: readonly Bench[] = [
  ...[kernel, scan, threads, servedMemory, kg, streams],
  ...[e2e, frontier, shards, serve, memory, recovery, growth],
];
