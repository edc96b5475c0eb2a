import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

/** Below what gateways and load balancers commonly forget an idle connection after. */
const KEEP_ALIVE_MS = 60_000;

const OPEN = new WeakMap<object, Set<Socket>>();

/**
 * Opens sockets for kafkajs and remembers them under `owner`. kafkajs loses sight of a connection that is made anew
 * while its client disconnects, and one such keeps the whole process from ending.
 */
export function socketsOf(owner: object): ISocketFactory {
  const open = OPEN.get(owner) ?? new Set();
  OPEN.set(owner, open);
  return ({ host, port, ssl, onConnect }) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = ssl
      ? connectTls({ host, port, ...name, ...ssl }, onConnect)
      : connect({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    return socket;
  };
}

/** Ends what is still open under `owner`: for when all its clients are stopped. */
export function endSockets(owner: object): void {
  // With an error, of which kafkajs hears: it would look for late answers for ever, by a timer that keeps the process.
  for (const socket of OPEN.get(owner) ?? []) socket.destroy(new Error('the client is stopped'));
}
