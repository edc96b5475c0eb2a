import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { status as statusSchema } from '../../../../src/adapters/http/status.ts';
import type { ProcessSample } from './samples.ts';
import { parseMetrics } from './scrape.ts';

const ESTABLISHED = '01';

/** What a process takes and says of itself. @throws where it is gone or does not answer. */
export async function sampleProcess(pid: number, url: string, atS: number): Promise<ProcessSample> {
  const ask = (path: string) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
  const metrics = parseMetrics(await (await ask('/metrics')).text());
  const { graphs } = statusSchema.parse(await (await ask('/api/status')).json());
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    ...{ kind: 'process', atS, rssMiB: number('VmRSS') / 1024, anonymousMiB: number('RssAnon') / 1024 },
    ...{ files: readdirSync(`/proc/${pid}/fd`).length, threads: number('Threads') },
    ...{ connections: connectionsTo(Number(new URL(url).port)), load: loadavg()[0] ?? 0 },
    waitedS: waitedS(pid),
    latencyMs: Object.fromEntries(graphs.map(({ graph, latencyMs }) => [graph, latencyMs])),
    metrics,
  };
}

/** What others' work on the machine costs it. Of the main thread: commits, reads and sends all pass through that. */
function waitedS(pid: number): number | undefined {
  try {
    const [, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').trim().split(' ');
    return Number(waitedNs) / 1e9;
  } catch {
    return undefined;
  }
}

/** Open connections whose own end is the port. */
function connectionsTo(port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) === true && state === ESTABLISHED).length;
}
