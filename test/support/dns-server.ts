// A DNS server on loopback, UDP and TCP, that answers what a test scripts: also what no honest server would.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';

export type RecordType = 'A' | 'AAAA' | 'SRV' | 'CNAME';

const TYPES: Record<RecordType, number> = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 };

export interface DnsRecord {
  readonly type: RecordType;
  /** Default: the name that was asked for. */
  readonly name?: string;
  /** In seconds. Default 60. */
  readonly ttl?: number;
  /** An IP address; `priority weight port target` of an SRV; a name of a CNAME. */
  readonly data: string;
}

export interface DnsAnswer {
  readonly records?: readonly DnsRecord[];
  /** 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED. Default 0. */
  readonly rcode?: number;
  /** Says over UDP that it was truncated, and leaves out the records there. */
  readonly truncated?: boolean;
  /** Answers over TCP too as if it were truncated. */
  readonly truncatedAlways?: boolean;
  /** These bytes instead, after the id. */
  readonly raw?: Uint8Array;
}

export interface DnsQuestion {
  readonly name: string;
  readonly type: RecordType | string;
  readonly over: 'udp' | 'tcp';
}

/** `undefined`: no answer at all. */
export type DnsScript = (question: DnsQuestion) => DnsAnswer | undefined | Promise<DnsAnswer | undefined>;

export class DnsServer implements AsyncDisposable {
  /** All questions, in order: `A greeter.test`. */
  readonly asked: string[] = [];
  script: DnsScript;
  readonly port: number;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();

  private constructor(udp: UdpSocket, tcp: Server, script: DnsScript) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.script = script;
    this.port = udp.address().port;
    udp.on('message', (message, { port, address }) => {
      void this.#answer(message, 'udp').then((answer) => {
        if (answer !== undefined) udp.send(answer, port, address, () => {});
      });
    });
    tcp.on('connection', (connection) => this.#serve(connection));
  }

  static async start(script: DnsScript): Promise<DnsServer> {
    for (let attempt = 1; ; attempt++) {
      const udp = createSocket('udp4');
      await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
      const tcp = createServer();
      const bound = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false)).listen(udp.address().port, '127.0.0.1', () => resolve(true));
      });
      if (bound) return new DnsServer(udp, tcp, script);
      udp.close();
      if (attempt === 20) throw new Error('no port is free for UDP and TCP');
    }
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(connection: Socket): void {
    this.#connections.add(connection);
    let held = Buffer.alloc(0);
    connection.on('error', () => {}).on('close', () => this.#connections.delete(connection));
    connection.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const length = held.readUInt16BE(0);
        void this.#answer(held.subarray(2, 2 + length), 'tcp').then((answer) => {
          if (answer !== undefined) connection.write(Buffer.concat([u16(answer.length), answer]));
        });
        held = held.subarray(2 + length);
      }
    });
  }

  async #answer(message: Buffer, over: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const { name, end } = readName(message, 12);
    const code = message.readUInt16BE(end);
    const type = Object.entries(TYPES).find(([, value]) => value === code)?.[0] ?? String(code);
    this.asked.push(`${type} ${name}`);
    const answer = await this.script({ name, type, over });
    if (answer === undefined) return undefined;
    const id = message.subarray(0, 2);
    if (answer.raw !== undefined) return Buffer.concat([id, answer.raw]);
    const truncated = answer.truncatedAlways === true || (answer.truncated === true && over === 'udp');
    const records = truncated ? [] : (answer.records ?? []);
    const question = message.subarray(12, end + 4);
    const flags = 0x8180 | (truncated ? 0x0200 : 0) | (answer.rcode ?? 0);
    const header = Buffer.concat([id, u16(flags), u16(1), u16(records.length), u16(0), u16(0)]);
    return Buffer.concat([header, question, ...records.map((record) => encodeRecord(record, name))]);
  }
}

function encodeRecord({ type, name, ttl = 60, data }: DnsRecord, asked: string): Buffer {
  const owner = name === undefined || name === asked ? Buffer.of(0xc0, 12) : encodeName(name);
  const rdata = encodeData(type, data);
  return Buffer.concat([owner, u16(TYPES[type]), u16(1), u32(ttl), u16(rdata.length), rdata]);
}

function encodeData(type: RecordType, data: string): Buffer {
  if (type === 'A') return Buffer.from(data.split('.').map(Number));
  if (type === 'CNAME') return encodeName(data);
  if (type === 'SRV') {
    const [priority, weight, port, target] = data.split(' ');
    return Buffer.concat([
      u16(Number(priority)),
      u16(Number(weight)),
      u16(Number(port)),
      encodeName(target!),
    ]);
  }
  const [head = '', tail = ''] = data.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = data.includes('::') ? Array<number>(8 - before.length - after.length).fill(0) : [];
  return Buffer.concat([...before, ...zeros, ...after].map(u16));
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
    Buffer.of(0),
  ]);
}

function readName(message: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let end = at;
  for (let length = message[end]!; length > 0; length = message[end]!) {
    labels.push(message.toString('latin1', end + 1, end + 1 + length));
    end += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: end + 1 };
}

function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
