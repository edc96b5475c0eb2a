import { Histogram, Registry } from 'prom-client';
import { addProcess, by, familiesOf, scraped } from './scraped.ts';

export interface ServedSnapshot {
  readonly graph: string;
  readonly caughtUp: boolean;
  /** Records of the topics with vectors that are not read yet. */
  readonly lag: number;
  /** Since when the brokers are out of reach, epoch ms. */
  readonly staleSince: number | undefined;
  readonly skipped: number;
  readonly refused: number;
  /** Events that can't be used. */
  readonly rejected: number;
  /** By entity type. */
  readonly vectors: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly spaces: number;
  /** Edges remembered of users, and those forgotten. */
  readonly edges: number;
  readonly forgotten: number;
}

const { counter, gauge, gauges } = familiesOf<ServedSnapshot>();

const SERVED = [
  gauge('twhin_serve_caught_up', '1: all vectors of the graph are read.', ({ caughtUp }) => Number(caughtUp)),
  gauge(
    'twhin_serve_stale_seconds',
    'How long the brokers are out of reach; 0 while they answer.',
    ({ staleSince }) => (staleSince === undefined ? 0 : (Date.now() - staleSince) / 1000),
  ),
  gauge(
    'twhin_serve_lag_records',
    'Records of the topics with vectors that are not read yet.',
    ({ lag }) => lag,
  ),
  gauge('twhin_serve_table_bytes', 'Memory of the vectors of the graph.', ({ bytes }) => bytes),
  gauge(
    'twhin_serve_spaces',
    'Runs of training whose vectors the topics hold; 2 while another store takes over.',
    ({ spaces }) => spaces,
  ),
  gauge('twhin_serve_edges', 'Edges of users that are remembered.', ({ edges }) => edges),
  gauges('twhin_serve_vectors', 'Vectors that lists are made of, by entity type.', ['type'], ({ vectors }) =>
    by('type', vectors),
  ),
  counter(
    'twhin_serve_skipped_records_total',
    'Records that are no vectors and were skipped.',
    ({ skipped }) => skipped,
  ),
  counter('twhin_serve_refused_records_total', 'Records of refused spaces.', ({ refused }) => refused),
  counter(
    'twhin_serve_rejected_events_total',
    'Records of event topics that can not be used and were left out.',
    ({ rejected }) => rejected,
  ),
  counter(
    'twhin_serve_forgotten_edges_total',
    'Edges of users that were forgotten to bound the memory.',
    ({ forgotten }) => forgotten,
  ),
];

export class ServingMetrics {
  readonly #registry = new Registry();
  readonly #snapshots: () => readonly ServedSnapshot[];
  readonly #served = scraped(this.#registry, SERVED);
  readonly #requests = new Histogram({
    name: 'twhin_serve_request_seconds',
    help: 'Time of a request until it was answered, by path and status code.',
    labelNames: ['path', 'code'],
    registers: [this.#registry],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
  });
  readonly #visible = new Histogram({
    name: 'twhin_serve_visible_seconds',
    help: 'Time from when a vector was written to its topic until lists are made with it, once the process has caught up.',
    labelNames: ['graph'],
    registers: [this.#registry],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
  });

  constructor(version: string, snapshots: () => readonly ServedSnapshot[]) {
    this.#snapshots = snapshots;
    addProcess(this.#registry, version);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    this.#served(this.#snapshots().map((each) => [each.graph, each]));
    return this.#registry.metrics();
  }

  answered(path: string, code: number, ms: number): void {
    this.#requests.observe({ path, code }, ms / 1000);
  }

  visible(graph: string, ms: number): void {
    this.#visible.observe({ graph }, Math.max(0, ms) / 1000);
  }
}
