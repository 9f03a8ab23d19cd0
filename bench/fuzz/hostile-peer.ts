import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from '../../src/base/random.js';

/** RFC 9113, section 4.1: length, type, flags, stream. */
const HEADER_BYTES = 9;
const MOST_PAYLOAD = 300;
/** What a peer sends in a flood, and no more: it shares its machine with those who have to bear it. */
const FLOOD_BYTES = 256 * 1_024;
/** One of so many chunks of a real server's is spoilt. */
const SPOILT_ONE_IN = 4;

/**
 * A peer that a pool takes for a server, and that lies: each connection in a way of its own. It sends what comes to its mind, frames
 * that are well formed and make no sense, floods of one frame, or a real server's bytes with some of them changed, left out or
 * said twice.
 */
export class HostilePeer {
  connections = 0;
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, realPort: number, random: Random) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket: Socket) => {
      this.connections++;
      this.#keep(socket);
      this.#lie(socket, realPort, random);
    });
  }

  /** @param realPort - of a server on loopback, whose answers are spoilt. */
  static async start(realPort: number, random: Random): Promise<HostilePeer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new HostilePeer(server, realPort, random);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
  }

  #lie(socket: Socket, realPort: number, random: Random): void {
    switch (random(8)) {
      case 0:
        socket.on('data', () => socket.write(noise(random)));
        break;
      case 1:
        socket.write(frame(4, 0, 0, Buffer.alloc(0)));
        socket.on('data', () => socket.write(someFrame(random)));
        break;
      case 2: {
        socket.write(frame(4, 0, 0, Buffer.alloc(0)));
        const one = someFrame(random);
        socket.once('data', () => socket.write(Buffer.alloc(FLOOD_BYTES, one)));
        socket.resume();
        break;
      }
      default:
        this.#spoil(socket, realPort, random);
    }
  }

  /** A real server behind it, so that connections become READY and calls get somewhere before they are spoilt. */
  #spoil(socket: Socket, realPort: number, random: Random): void {
    const real = connect(realPort, '127.0.0.1');
    this.#keep(real);
    let heard = 0;
    real.on('data', (chunk: Buffer) => {
      // The first of it is its SETTINGS: with them spoilt, it would never be picked.
      socket.write(++heard > 2 && random(SPOILT_ONE_IN) === 0 ? spoilt(chunk, random) : chunk);
    });
    socket.on('data', (chunk: Buffer) => real.write(chunk));
    socket.on('close', () => real.destroy());
    real.on('close', () => socket.destroy());
  }
}

function spoilt(chunk: Buffer, random: Random): Buffer {
  const at = random(chunk.length);
  switch (random(5)) {
    case 0: {
      const changed = Buffer.from(chunk);
      changed[at] = random(256);
      return changed;
    }
    case 1:
      return chunk.subarray(0, at);
    case 2:
      return Buffer.concat([chunk, chunk]);
    case 3:
      return Buffer.concat([chunk, someFrame(random)]);
    default:
      return Buffer.concat([chunk.subarray(0, at), noise(random), chunk.subarray(at)]);
  }
}

/** Of any type, with any flags, on a stream that may be there: clients open the odd ones. */
function someFrame(random: Random): Buffer {
  const stream = random(4) === 0 ? 0 : random(3) === 0 ? random(2 ** 31) : 1 + 2 * random(20);
  return frame(random(12), random(256), stream, noise(random));
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random(MOST_PAYLOAD) }, () => random(256)));
}
