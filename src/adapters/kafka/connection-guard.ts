import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { isKnownRelease } from './known-release.ts';

/** Bytes of the length before each response. */
const LENGTH_BYTES = 4;

interface Connection {
  socket?: Socket;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<unknown>;
}

let applied = false;

/**
 * Mends what kafkajs does when a connection is lost. Says whether the guard is in place.
 * - It keeps the part of a response that came before the loss, and takes the next connection's bytes for the rest of
 *   it: no response is understood from then on, each request runs into its time limit, and the client stands still.
 * - Two requests at once make two sockets, of which it loses one; and the end of an old one ends the new one.
 * Source: `src/network/connection.js`.
 */
export function guardConnections(): boolean {
  if (applied) return true;
  if (!isKnownRelease()) return false;
  const require = createRequire(import.meta.url);
  const { prototype }: { prototype: Connection } = require('kafkajs/src/network/connection.js');
  const { connect } = prototype;
  const connecting = new WeakMap<Connection, Promise<unknown>>();

  prototype.connect = function (this: Connection): Promise<unknown> {
    const already = connecting.get(this);
    if (already !== undefined) return already;
    if (this.isConnected()) return Promise.resolve(true);
    forget(this.socket);
    this.chunks = [];
    this.bytesBuffered = 0;
    this.bytesNeeded = LENGTH_BYTES;
    const attempt = connect.call(this).finally(() => connecting.delete(this));
    connecting.set(this, attempt);
    return attempt;
  };
  applied = true;
  return true;
}

/** Ends a socket whose connection is made anew: nothing that still comes of it concerns the new one. */
function forget(socket: Socket | undefined): void {
  if (socket === undefined) return;
  for (const event of ['data', 'end', 'error', 'timeout']) socket.removeAllListeners(event);
  socket.on('error', () => undefined);
  socket.destroy();
}
