import { createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Front } from '../../broker/properties.ts';

/** Bytes on their way in one direction before the sender has to wait. */
const HELD_BYTES = 1024 * 1024;

/** What a proxy does to what passes through. */
export interface Weather {
  /** Each way, on every piece. */
  readonly latencyMs: number;
  /** Each way and connection. */
  readonly bytesPerS: number;
  /** Nothing passes, and nobody is told. */
  readonly blackHole: boolean;
  /** The connection of every answer is cut in the middle of it. */
  readonly cutsAnswers: boolean;
}

const FAIR: Weather = {
  latencyMs: 0,
  bytesPerS: Number.POSITIVE_INFINITY,
  blackHole: false,
  cutsAnswers: false,
};

/** A proxy before each of several brokers. */
export class Proxies {
  readonly each: readonly BrokerProxy[];
  /** The addresses of the proxies, as clients take them. */
  readonly through: string;

  private constructor(each: readonly BrokerProxy[], fronts: readonly Front[]) {
    this.each = each;
    this.through = fronts.map(({ advertised }) => `127.0.0.1:${advertised}`).join(',');
  }

  static async before(fronts: readonly Front[]): Promise<Proxies> {
    return new Proxies(await Promise.all(fronts.map((front) => BrokerProxy.before(front))), fronts);
  }

  /** Connections cut so far. */
  get cut(): number {
    return this.each.reduce((sum, { cut }) => sum + cut, 0);
  }

  change(weather: Partial<Weather>): void {
    for (const proxy of this.each) proxy.change(weather);
  }

  /** Fair weather again; who waited in silence hears that it was in vain. */
  clear(): void {
    this.change({});
    for (const proxy of this.each) proxy.drop();
  }

  async remove(): Promise<void> {
    for (const proxy of this.each) await proxy.close();
  }
}

/** A TCP proxy before a broker's front door, for a network that is slow, narrow, silent or cut. */
export class BrokerProxy {
  /** Connections cut so far. */
  cut = 0;
  weather: Weather = FAIR;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before({ listens, advertised }: Front): Promise<BrokerProxy> {
    const server = createServer();
    const proxy = new BrokerProxy(server);
    server.on('connection', (client) => proxy.#join(client, listens));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(advertised, '127.0.0.1', resolve);
    });
    return proxy;
  }

  change(weather: Partial<Weather>): void {
    this.weather = { ...FAIR, ...weather };
  }

  /** Cuts every connection there is; new ones are taken. */
  drop(): void {
    this.cut += this.#pairs.size;
    for (const [client, broker] of this.#pairs) {
      client.resetAndDestroy();
      broker.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.drop();
    await closed;
  }

  #join(client: Socket, port: number): void {
    const broker = new Socket();
    const pair = [client, broker] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#pairs.delete(pair);
        client.destroy();
        broker.destroy();
      });
    }
    broker.connect(port, '127.0.0.1');
    this.#pass(client, broker, false);
    this.#pass(broker, client, true);
  }

  /** One piece after the other, each as late as the weather of its arrival has it. */
  #pass(from: Socket, to: Socket, answers: boolean): void {
    let held = 0;
    let tail = Promise.resolve();
    from.on('data', (piece: Buffer) => {
      held += piece.length;
      if (held > HELD_BYTES) from.pause();
      const arrived = Date.now();
      tail = tail.then(async () => {
        await this.#delay(piece.length, arrived, () => from.destroyed || to.destroyed);
        held -= piece.length;
        if (to.destroyed) return;
        if (answers && this.weather.cutsAnswers) {
          this.cut++;
          // What is sent arrives before the end does, which a reset would overtake.
          to.end(piece.subarray(0, Math.ceil(piece.length / 2)));
          from.destroy();
          return;
        }
        to.write(piece);
        if (held <= HELD_BYTES / 2) from.resume();
      });
    });
    from.on('end', () => void tail.then(() => to.end()));
  }

  async #delay(bytes: number, arrived: number, over: () => boolean): Promise<void> {
    while (this.weather.blackHole && !over()) await sleep(20);
    const { latencyMs, bytesPerS } = this.weather;
    const wait = Math.max(arrived + latencyMs - Date.now(), 0) + (bytes / bytesPerS) * 1000;
    if (wait > 0) await sleep(wait);
  }
}
