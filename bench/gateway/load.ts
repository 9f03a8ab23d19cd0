import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const BODY = JSON.stringify({ name: 'fromGW' });
const REQUEST = Buffer.from(
  `POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
);
const EXPECTED = '{"message":"Hello fromGW"}';

/**
 * HTTP/1.1 connections that each send one request after the other. On plain sockets, for the machine's CPU is to go to what is
 * measured.
 */
export class Load {
  private constructor(private readonly sockets: readonly Socket[]) {}

  static async open(port: number, connections: number): Promise<Load> {
    const sockets = Array.from({ length: connections }, () =>
      connect({ host: '127.0.0.1', port, noDelay: true }),
    );
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    // The close that follows tells of it.
    for (const socket of sockets) socket.on('error', () => {});
    return new Load(sockets);
  }

  /** Sends so many requests over all connections together, and resolves with how many were answered in a second. */
  async send(requests: number): Promise<number> {
    let left = requests;
    const drive = (socket: Socket) =>
      new Promise<void>((resolve, reject) => {
        let text = '';
        const next = () => {
          text = '';
          if (left-- > 0) socket.write(REQUEST);
          else {
            socket.removeAllListeners('data').removeAllListeners('close');
            resolve();
          }
        };
        socket.on('data', (part: Buffer) => {
          text += part.toString('latin1');
          if (!text.endsWith(EXPECTED)) {
            if (text.length > 10_000)
              reject(new Error(`an answer that was not expected: ${text.slice(0, 500)}`));
            return;
          }
          if (text.startsWith('HTTP/1.1 200')) next();
          else reject(new Error(`an answer that was not expected: ${text}`));
        });
        socket.on('close', () => reject(new Error(`the connection was closed: ${text}`)));
        next();
      });
    const began = performance.now();
    await Promise.all(this.sockets.map(drive));
    return (requests * 1_000) / (performance.now() - began);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
