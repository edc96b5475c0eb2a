import { Counter, Gauge, type Registry } from 'prom-client';
import type { Router } from '../pipeline/routing/router.ts';
import { rejectionSamples, type Sample } from './families.ts';

/** What is watched of a router. */
export type WatchedRouter = Pick<
  Router,
  'graph' | 'counts' | 'rejections' | 'codes' | 'partitions' | 'retries' | 'lag' | 'unready'
>;

/** A metric that each scrape reads from a router. Every sample also has the label `graph`. */
interface RouterFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels?: readonly string[];
  samples(router: WatchedRouter): readonly Sample[];
}

const FAMILIES: readonly RouterFamily[] = [
  {
    name: 'twhin_router_ready',
    help: '1 while the process routes what it has to, or has nothing to route.',
    kind: 'gauge',
    samples: (router) => [[{}, Number(router.unready().length === 0)]],
  },
  {
    name: 'twhin_router_partitions',
    help: 'Partitions of event topics that this process routes.',
    kind: 'gauge',
    samples: ({ partitions }) => [[{}, partitions ?? 0]],
  },
  {
    name: 'twhin_router_events_total',
    help: 'Events read, since the process began.',
    kind: 'counter',
    samples: ({ counts }) => [[{}, counts.records]],
  },
  {
    name: 'twhin_router_rejected_total',
    help: 'Events rejected, by topic and reason, since the process began.',
    kind: 'counter',
    labels: ['topic', 'reason'],
    samples: ({ rejections, codes }) => rejectionSamples(rejections.byTopic(), codes),
  },
  {
    name: 'twhin_router_sent_total',
    help: 'Events sent to shards, since the process began; an event that concerns two shards counts twice.',
    kind: 'counter',
    samples: ({ counts }) => [[{}, counts.sent]],
  },
  {
    name: 'twhin_router_sent_bytes_total',
    help: 'Bytes of the records that were sent to shards, since the process began.',
    kind: 'counter',
    samples: ({ counts }) => [[{}, counts.bytes]],
  },
  {
    name: 'twhin_router_retries_total',
    help: 'Sends that failed and were retried, since the process began.',
    kind: 'counter',
    samples: ({ retries }) => [[{}, retries]],
  },
  {
    name: 'twhin_router_lag_records',
    help: 'Offsets of a partition that this process routes and that not every shard has been sent.',
    kind: 'gauge',
    labels: ['topic', 'partition'],
    samples: (router) =>
      router
        .lag()
        .map(({ topic, partition, records }) => [{ topic, partition: `${partition}` }, records] as const),
  },
];

/** The metrics of routers; none of them has a sample where every graph is whole. */
export function routerMetrics(registry: Registry, routers: () => readonly WatchedRouter[]): void {
  for (const { name, help, kind, labels = [], samples } of FAMILIES) {
    const options = { name, help, labelNames: ['graph', ...labels], registers: [registry] };
    const each = (add: (labels: Readonly<Record<string, string>>, value: number) => void) => {
      for (const router of routers()) {
        for (const [own, value] of samples(router)) {
          if (value !== undefined) add({ graph: router.graph, ...own }, value);
        }
      }
    };
    if (kind === 'counter') {
      new Counter({
        ...options,
        collect() {
          this.reset();
          each((all, value) => this.inc(all, value));
        },
      });
    } else {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          each((all, value) => this.set(all, value));
        },
      });
    }
  }
}
