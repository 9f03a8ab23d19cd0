import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type StatusObject,
} from '@grpc/grpc-js';
import { EchoReply, EchoRequest, EchoService } from '../../../generated/evenkeel/echo/v1/echo.js';

/** The metadata key that tells the server how to treat a call: one of {@link Act}. */
export const ACT = 'act';
/** The metadata key that names a call in the server's journal. */
export const RUN = 'run';

/** How a call is treated. All but `echo` and `listen` treat the four kinds of call alike. */
export type Act =
  /** As `echo.proto` says. */
  | 'echo'
  /** Headers and trailers of its own around an echo, binary ones too, two values under one key. */
  | 'decorate'
  /** An error with details and trailers, and not a header before it. */
  | 'fail at once'
  /** The same, after headers. */
  | 'fail after headers'
  /** The same, after two messages. */
  | 'fail after messages'
  /** The same, as soon as there is a message, whether or not more will come. */
  | 'fail at the first message'
  /** A status that no table knows, without details. */
  | 'fail oddly'
  /** OK, without a message. */
  | 'say nothing'
  /** OK, after two messages, whatever was asked for. */
  | 'answer twice'
  /** One message of 4 MiB and a byte. */
  | 'answer hugely'
  /** One message that no decoder takes. */
  | 'answer garbage'
  /** Not a word until the call is cancelled. */
  | 'hang'
  /** Headers, and then nothing until the call is cancelled. */
  | 'send headers and hang'
  /** One message, and then nothing until the call is cancelled. */
  | 'answer and hang'
  /** Reads nothing until {@link ScenarioServer.release}, then echoes. */
  | 'read late';

/** What the server saw of a call, in order. */
export type Entry =
  | { readonly kind: 'headers'; readonly host: string; readonly deadline: boolean; readonly metadata: object }
  | { readonly kind: 'message'; readonly bytes: number }
  /** The client has sent all; also, at times, the last that is seen of a stream that was reset. */
  | { readonly kind: 'half-close' }
  /** The stream has closed, for whatever reason. */
  | { readonly kind: 'over' };

type Call = ServerDuplexStream<Buffer, Buffer>;

/** The largest message that a client takes by default is 4 MiB. */
export const HUGE = 4 * 1024 * 1024 + 1;
/** The details of its errors: text that must be escaped on the wire. */
export const DETAILS = 'out of tea: 100 % gone,\nsorry – à bientôt';

/**
 * The Echo service, in this process, on a free port, with a journal of what reached it. Every method is served as a
 * stream of raw bytes on both sides: on the wire all kinds of call look alike, and so a server can break any rule.
 */
export class ScenarioServer {
  address = '';
  /** The calls it saw, by name, in the order in which their headers came. */
  readonly arrivals: string[] = [];
  readonly #server = new Server();
  readonly #journal = new Map<string, Entry[]>();
  readonly #watchers = new Set<() => void>();
  readonly #unread = new Set<() => void>();

  static async start(): Promise<ScenarioServer> {
    const server = new ScenarioServer();
    await server.#listen();
    return server;
  }

  /** What it saw of a call so far; goes on growing. */
  journal(run: string): readonly Entry[] {
    return this.#entries(run);
  }

  /** Resolves when the journal of the call fulfils the condition. */
  async saw(run: string, condition: (entries: readonly Entry[]) => boolean): Promise<void> {
    while (!condition(this.journal(run))) {
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** Lets the calls that `read late`, and are there, be read. */
  release(): void {
    for (const read of this.#unread) read();
    this.#unread.clear();
  }

  close(): void {
    this.#server.forceShutdown();
  }

  async #listen(): Promise<void> {
    const raw = (bytes: Buffer) => bytes;
    for (const [name, method] of Object.entries(EchoService)) {
      this.#server.register(method.path, (call: Call) => this.#handle(name, call), raw, raw, 'bidi');
    }
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  #entries(run: string): Entry[] {
    const entries = this.#journal.get(run) ?? [];
    this.#journal.set(run, entries);
    return entries;
  }

  #handle(method: string, call: Call): void {
    const run = String(call.metadata.get(RUN)[0] ?? 'unnamed');
    const act = (call.metadata.get(ACT)[0] ?? 'echo') as Act;
    const entries = this.#entries(run);
    this.arrivals.push(run);
    const note = (entry: Entry) => {
      entries.push(entry);
      const watchers = [...this.#watchers];
      this.#watchers.clear();
      for (const changed of watchers) changed();
    };
    const requests: EchoRequest[] = [];
    const { echo, answer } = ACTS[act](call, method, requests);

    note({
      kind: 'headers',
      host: call.getHost(),
      deadline: call.getDeadline() !== Number.POSITIVE_INFINITY,
      metadata: plain(call.metadata, [RUN, 'user-agent', 'grpc-timeout']),
    });
    call.on('cancelled', () => note({ kind: 'over' }));
    const read = () => {
      call.on('data', (bytes: Buffer) => {
        note({ kind: 'message', bytes: bytes.length });
        const request = EchoRequest.decode(bytes);
        requests.push(request);
        if (echo && method === 'bidi') call.write(reply(request.payload, requests.length));
        if (act === 'fail at the first message' && requests.length === 1) fail(call);
      });
      call.on('end', () => {
        note({ kind: 'half-close' });
        answer();
      });
    };
    if (act === 'read late') this.#unread.add(read);
    else read();
  }
}

type Behaviour = (
  call: Call,
  method: string,
  requests: readonly EchoRequest[],
) => {
  /** Whether a bidi call is answered message by message. */
  readonly echo: boolean;
  /** Runs when the client has sent all that it will. */
  readonly answer: () => void;
};

const ACTS: Record<Act, Behaviour> = {
  echo: (call, method, requests) => echoing(call, method, requests, new Metadata()),
  'read late': (call, method, requests) => echoing(call, method, requests, new Metadata()),
  decorate: (call, method, requests) => {
    call.sendMetadata(decoration('head'));
    return echoing(call, method, requests, decoration('trail'));
  },
  'fail at once': (call) => silent(() => fail(call)),
  'fail after headers': (call) => {
    call.sendMetadata(decoration('head'));
    return silent(() => fail(call));
  },
  'fail after messages': (call) =>
    silent(() => {
      call.write(reply(Buffer.from('one'), 1));
      call.write(reply(Buffer.from('two'), 1));
      fail(call);
    }),
  'fail at the first message': () => silent(() => {}),
  'fail oddly': (call) => silent(() => call.emit('error', { code: 99, details: '' })),
  'say nothing': (call) => silent(() => call.end(decoration('trail'))),
  'answer twice': (call) =>
    silent(() => {
      call.write(reply(Buffer.from('one'), 1));
      call.write(reply(Buffer.from('two'), 1));
      call.end();
    }),
  'answer hugely': (call) =>
    silent(() => {
      call.write(reply(Buffer.alloc(HUGE), 1));
      call.end();
    }),
  'answer garbage': (call) =>
    silent(() => {
      call.write(Buffer.from([0xff, 0xff, 0xff]));
      call.end();
    }),
  hang: () => silent(() => {}),
  'send headers and hang': (call) => {
    call.sendMetadata(decoration('head'));
    return silent(() => {});
  },
  'answer and hang': (call) => {
    call.write(reply(Buffer.from('one'), 1));
    return silent(() => {});
  },
};

function silent(answer: () => void): ReturnType<Behaviour> {
  return { echo: false, answer };
}

function echoing(
  call: Call,
  method: string,
  requests: readonly EchoRequest[],
  trailers: Metadata,
): ReturnType<Behaviour> {
  const answer = () => {
    const [first] = requests;
    if (method === 'unary' && first !== undefined) call.write(reply(first.payload, 1));
    if (method === 'clientStream') {
      call.write(reply(Buffer.concat(requests.map(({ payload }) => payload)), requests.length));
    }
    if (method === 'serverStream') {
      for (let sent = 0; sent < (first?.count ?? 0); sent++) call.write(reply(first!.payload, 1));
    }
    call.end(trailers);
  };
  return { echo: true, answer };
}

function fail(call: Call): void {
  const status: StatusObject = { code: 9, details: DETAILS, metadata: decoration('trail') };
  call.emit('error', status);
}

function reply(payload: Buffer, seen: number): Buffer {
  return Buffer.from(EchoReply.encode({ payload, server: '', seen }).finish());
}

/** Metadata with all that metadata can have: several values under a key, and bytes. */
export function decoration(prefix: string): Metadata {
  const metadata = new Metadata();
  metadata.add(`${prefix}-text`, 'one');
  metadata.add(`${prefix}-text`, 'two, with a comma');
  metadata.add(`${prefix}-bin`, Buffer.from([0, 1, 2, 255]));
  metadata.add(`${prefix}-bin`, Buffer.alloc(0));
  return metadata;
}

/** Metadata as a plain object, bytes in hexadecimal, in order of key, and without `omitted`, nor the date. */
export function plain(metadata: Metadata, omitted: readonly string[] = []): Record<string, string[]> {
  const keys = Object.keys(metadata.getMap()).filter((key) => key !== 'date' && !omitted.includes(key));
  return Object.fromEntries(
    keys
      .sort()
      .map((key) => [
        key,
        metadata.get(key).map((value) => (typeof value === 'string' ? value : `0x${value.toString('hex')}`)),
      ]),
  );
}
