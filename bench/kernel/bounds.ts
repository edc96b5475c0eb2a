import { median } from '../median.ts';
import { type Measured, ratio } from './contender.ts';

/** A ratio of two figures of one run, and what it should be at least. */
export interface Bound {
  readonly what: string;
  readonly value: number;
  readonly least: number;
}

/** What the main group should show; what was not measured has no line. */
export function bounds(measured: ReadonlyMap<string, Measured>): Bound[] {
  const found: Bound[] = [];
  const compare = (what: string, least: number, a: string, b: string) => {
    const [over, under] = [measured.get(a), measured.get(b)];
    if (over && under) found.push({ what, least, value: ratio(over.gflops, under.gflops) });
  };
  compare('shape 1: relaxed, of the peak', 0.65, 'shape 1, wasm-relaxed', 'peak');
  compare('shape 1: relaxed, of PyTorch', 1.2, 'shape 1, wasm-relaxed', 'shape 1, PyTorch');
  compare('shape 1: plain, of PyTorch', 1, 'shape 1, wasm-plain', 'shape 1, PyTorch');
  compare('GFLOP/s of shape 2, of those of shape 1', 0.85, 'shape 2, wasm-relaxed', 'shape 1, wasm-relaxed');
  compare('8 million rows, of 1 million', 1 / 1.3, 'shape 1, 8 million rows', 'shape 1, wasm-relaxed');
  return found;
}

export function held({ value, least }: Bound): boolean {
  return value >= least;
}

/** A line of the first table for each that was measured. */
export function lines(measured: ReadonlyMap<string, Measured>): string[] {
  const peak = measured.get('peak');
  return Array.from(measured.values(), ({ name, rates, gflops }) => {
    const share = peak === undefined ? '' : `${(100 * ratio(gflops, peak.gflops)).toFixed(0)} %`;
    return `| ${name} | ${name === 'peak' ? '' : spread(rates)} | ${median(gflops).toFixed(1)} | ${share} |`;
  });
}

/** `201.5 (180.2 – 210.4)`: the middle round, the slowest and the fastest. */
export function spread(values: readonly number[]): string {
  const digits = median(values) < 10 ? 2 : 1;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${least.toFixed(digits)} – ${most.toFixed(digits)})`;
}
