import { readTopic } from '../e2e/topic-reader.ts';
import { type Running, type Twhin, until } from '../e2e/twhin.ts';
import { total } from './scrape.ts';

/** What `twhin serve` says to one request. */
export interface Reply {
  readonly status: number;
  readonly retryAfter: string | null;
  // What each path answers is held elsewhere; here each test looks at its own fields.
  readonly body: ReturnType<typeof Object>;
}

/** A process of `twhin serve` of the engagement graph. */
export class Served {
  readonly running: Running;
  readonly url: string;

  private constructor(running: Running, url: string) {
    this.running = running;
    this.url = url;
  }

  /** Resolves once it answers at all, which is before it has read anything. */
  static async start(twhin: Twhin, env: Readonly<Record<string, string>> = {}): Promise<Served> {
    const running = twhin.start(['serve', '--graph', 'engagement', '--http', '127.0.0.1:0'], { env });
    return new Served(running, await running.url());
  }

  async ask(path: string): Promise<Reply> {
    const reply = await fetch(`${this.url}${path}`);
    const retryAfter = reply.headers.get('retry-after');
    return { status: reply.status, retryAfter, body: Object(await reply.json()) };
  }

  home(user: string, k = 20): Promise<Reply> {
    return this.ask(`/v1/candidates?surface=home&user=${user}&k=${k}`);
  }

  /** The nearest entities, best first. */
  similar(entity: string): Promise<Reply> {
    return this.ask(`/v1/similar?entity=${entity}&k=500`);
  }

  async ready(): Promise<void> {
    await until('serve is ready', async () => (await this.ask('/readyz')).status === 200);
  }

  /** A metric of its graph. */
  async metric(name: string): Promise<number> {
    return total(await (await fetch(`${this.url}/metrics`)).text(), name);
  }

  async kill(): Promise<void> {
    this.running.kill('SIGKILL');
    await this.running.ended;
  }
}

/** Entities of a list, in order. */
export function entitiesOf({ body }: Reply): string[] {
  return (body.items ?? []).map(({ entity }: { entity: string }) => entity);
}

/** The vectors that a topic holds by now, as a reader apart from ours sees them: committed ones, the last of each entity. */
export async function publishedVectors(brokers: string, topic: string): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>();
  for (const { key, value } of await readTopic(brokers, topic)) {
    if (value === null) vectors.delete(String(key));
    else vectors.set(String(key), new Float32Array(new Uint8Array(value).buffer));
  }
  return vectors;
}

/** The entities of the same type, nearest first, by a sort of all distances. */
export function nearestOf(entity: string, vectors: ReadonlyMap<string, Float32Array>): string[] {
  const own = vectors.get(entity);
  const type = `${entity.split(':')[0]}:`;
  const distances: [string, number][] = [];
  for (const [other, vector] of vectors) {
    if (other === entity || !other.startsWith(type)) continue;
    let square = 0;
    for (let k = 0; k < vector.length; k++) square += ((own?.[k] ?? Number.NaN) - vector[k]!) ** 2;
    distances.push([other, square]);
  }
  return distances.sort(([, a], [, b]) => a - b).map(([other]) => other);
}
