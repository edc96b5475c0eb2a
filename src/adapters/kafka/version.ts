import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { RetryableError } from '../../errors/errors.ts';
import { type KafkaSettings, tlsOf } from './client.ts';

const API_VERSIONS = 18;
const FETCH = 1;
const DESCRIBE_CLUSTER = 60;
const TIMEOUT_MS = 3000;

/**
 * The release a broker is of, as closely as the requests it knows tell: brokers don't say their version, and kafkajs
 * has no call for this. Asked before any login, as the protocol allows.
 * Source: KIP-896 (4.0 dropped Fetch below 4), KIP-700 (DescribeCluster came with 2.8).
 */
export async function brokerVersion(settings: KafkaSettings): Promise<string> {
  const answer = await ask(settings);
  // correlation i32 | error i16 | count i32 | { key i16, min i16, max i16 }...
  const lowest = new Map<number, number>();
  for (let at = 10; at + 6 <= answer.length; at += 6) {
    lowest.set(answer.readInt16BE(at), answer.readInt16BE(at + 2));
  }
  if ((lowest.get(FETCH) ?? 0) >= 4) {
    return '4.0 or newer';
  }
  return lowest.has(DESCRIBE_CLUSTER) ? '2.8 to 3.9' : 'older than 2.8';
}

/** The body of an ApiVersions answer, version 0. */
function ask(settings: KafkaSettings): Promise<Buffer> {
  const address = settings.brokers[0] ?? '';
  const colon = address.lastIndexOf(':');
  const target = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  const tls = settings.ssl || settings.caFile !== undefined ? tlsOf(settings) : undefined;
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? connectTcp(target)
        : connectTls({ ...target, servername: target.host, ...(tls === true ? {} : tls) });
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new RetryableError('broker-version', `${address} did not say what it knows: ${reason}`));
    };
    let answer = Buffer.alloc(0);
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer in ${TIMEOUT_MS} ms`));
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('the connection was closed'));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) {
        resolve(answer.subarray(4));
        socket.destroy();
      }
    });
    // size i32 | key i16 | version i16 | correlation i32 | client id: i16 -1, none
    const request = Buffer.alloc(14);
    request.writeInt32BE(10, 0);
    request.writeInt16BE(API_VERSIONS, 4);
    request.writeInt16BE(-1, 12);
    socket.write(request);
  });
}
