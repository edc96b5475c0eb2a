import type { Router } from '../shards/routing/router.ts';
import { lagSamples, rejectionSamples } from './families.ts';
import { familiesOf } from './scraped.ts';

/** What is watched of a router. */
export type WatchedRouter = Pick<
  Router,
  'graph' | 'counts' | 'rejections' | 'codes' | 'partitions' | 'retries' | 'lag' | 'unready'
>;

const { counter, gauge, counters, gauges } = familiesOf<WatchedRouter>();

/** The metrics of routers; none of them has a sample where every graph is whole. */
export const ROUTER = [
  gauge(
    'twhin_router_ready',
    '1 while the process routes what it has to, or has nothing to route.',
    (router) => Number(router.unready().length === 0),
  ),
  gauge(
    'twhin_router_partitions',
    'Partitions of event topics that this process routes.',
    ({ partitions }) => partitions ?? 0,
  ),
  counter(
    'twhin_router_events_total',
    'Events read, since the process began.',
    ({ counts }) => counts.records,
  ),
  counters(
    'twhin_router_rejected_total',
    'Events rejected, by topic and reason, since the process began.',
    ['topic', 'reason'],
    ({ rejections, codes }) => rejectionSamples(rejections.byTopic(), codes),
  ),
  counter(
    'twhin_router_sent_total',
    'Events sent to shards, since the process began; an event that concerns two shards counts twice.',
    ({ counts }) => counts.sent,
  ),
  counter(
    'twhin_router_sent_bytes_total',
    'Bytes of the records that were sent to shards, since the process began.',
    ({ counts }) => counts.bytes,
  ),
  counter(
    'twhin_router_retries_total',
    'Sends that failed and were retried, since the process began.',
    ({ retries }) => retries,
  ),
  gauges(
    'twhin_router_lag_records',
    'Offsets of a partition that this process routes and that not every shard has been sent.',
    ['topic', 'partition'],
    (router) => lagSamples(router.lag(), ({ records }) => records),
  ),
];
