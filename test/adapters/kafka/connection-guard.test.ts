import { createRequire } from 'node:module';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { guardConnections } from '../../../src/adapters/kafka/connection-guard.ts';

interface Connection {
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(protocol: object): Promise<Buffer>;
}

const require = createRequire(import.meta.url);
const Connection: new (options: object) => Connection = require('kafkajs/src/network/connection.js');
const Encoder: new () => object = require('kafkajs/src/protocol/encoder.js');

guardConnections();

const silent = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [level, () => undefined]),
);
const logger = { ...silent, namespace: () => silent };
let server: Server | undefined;
let connection: Connection | undefined;

afterEach(async () => {
  await connection?.disconnect();
  server?.close();
});

/** A connection to a broker that does with each socket, by number from 0, as said. */
async function broker(onSocket: (socket: Socket, number: number) => void): Promise<Connection> {
  let sockets = 0;
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket, sockets++);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  connection = new Connection({
    ...{ host: '127.0.0.1', port, logger, requestTimeout: 1_500, connectionTimeout: 1_000 },
    socketFactory: ({ onConnect }: { onConnect: () => void }) =>
      connect({ host: '127.0.0.1', port }, onConnect),
  });
  return connection;
}

/** A request whose answer is its bare bytes. */
const request = {
  request: { apiKey: 18, apiVersion: 0, apiName: 'Any', encode: async () => new Encoder() },
  response: {
    decode: async (payload: Buffer) => ({ payload }),
    parse: async ({ payload }: { payload: Buffer }) => payload,
  },
};

/** Length, correlation id, `answer`: what stands where in a response. */
function response(correlationId: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeInt32BE(10, 0);
  bytes.writeInt32BE(correlationId, 4);
  bytes.write('answer', 8);
  return bytes;
}

/** Answers each request by its own correlation id, which stands after length, key and version. */
function answer(socket: Socket): void {
  socket.on('data', (bytes) => socket.write(response(bytes.readInt32BE(8))));
}

describe('a connection that is lost', () => {
  test('in the middle of a response: the next one is understood from its start', async () => {
    const connection = await broker((socket, number) => {
      if (number > 0) return answer(socket);
      socket.on('data', (bytes) => {
        const whole = response(bytes.readInt32BE(8));
        whole.writeInt32BE(1_000, 0);
        socket.write(whole, () => socket.resetAndDestroy());
      });
    });
    await connection.connect();
    await expect(connection.send(request)).rejects.toThrow();
    await connection.connect();
    expect(String(await connection.send(request))).toBe('answer');
  });

  test('asked for by two at once is made once', async () => {
    let sockets = 0;
    const connection = await broker((socket) => {
      sockets++;
      answer(socket);
    });
    await Promise.all([connection.connect(), connection.connect()]);
    expect(String(await connection.send(request))).toBe('answer');
    expect(sockets).toBe(1);
  });
});
