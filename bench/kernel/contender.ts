import { median } from '../median.ts';

/** One of those that take turns. */
export interface Contender {
  readonly name: string;
  /** Floating-point operations of one edge, or of one unit of `measure`. */
  readonly operations: number;
  /** Works for about so many ms of CPU; gives thousands of edges for each second of CPU. */
  measure(ms: number): Promise<number>;
  close(): void;
}

/** CPU time of the calling thread in ms: on a shared machine, time on the wall is mostly that of others. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export interface Measured {
  readonly name: string;
  /** Thousands of edges for each second of CPU, by round. */
  readonly rates: readonly number[];
  readonly gflops: readonly number[];
}

/** Turns of the round that is not counted are longer by this: by its end V8 has replaced its first, slow code. */
const WARM_UP = 4;

/** Lets all take turns, `rounds` times after one that is not counted, so that a busy machine slows all alike. */
export async function takeTurns(
  contenders: readonly Contender[],
  { rounds, ms }: { rounds: number; ms: number },
): Promise<ReadonlyMap<string, Measured>> {
  const rates = new Map(contenders.map((each) => [each, [] as number[]]));
  try {
    for (let round = -1; round < rounds; round++) {
      for (const [each, own] of rates) {
        const rate = await each.measure(round < 0 ? WARM_UP * ms : ms);
        if (round >= 0) own.push(rate);
      }
    }
  } finally {
    for (const each of contenders) each.close();
  }
  return new Map(
    Array.from(rates, ([{ name, operations }, own]) => [
      name,
      { name, rates: own, gflops: own.map((rate) => (rate * operations) / 1e6) },
    ]),
  );
}

/** Median over the rounds of a's figure over b's in the same round. */
export function ratio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] ?? Number.NaN)));
}
