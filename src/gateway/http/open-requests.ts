import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The answers that are still due, by connection. When a connection goes, Node closes the one that is being written, and says
 * nothing to those that wait for their turn behind it: here they are closed with it.
 */
export class OpenRequests {
  readonly #connections = new Map<Socket, Set<ServerResponse>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many of a connection's are open. */
  on(socket: Socket | undefined): number {
    return (socket && this.#connections.get(socket)?.size) ?? 0;
  }

  /**
   * @param socket - undefined for a connection that does not answer in order (HTTP/2): Node closes what is on it.
   * @param over - called once, when the answer is complete or cannot be given any more.
   */
  add(socket: Socket | undefined, response: ServerResponse, over: () => void): void {
    const answers = socket && this.#answersOn(socket);
    answers?.add(response);
    this.#size++;
    response.once('close', () => {
      answers?.delete(response);
      this.#size--;
      over();
    });
  }

  /** Tells everybody that their connection ends with the answer. */
  closeConnections(): void {
    for (const answers of this.#connections.values()) {
      for (const response of answers) if (!response.headersSent) response.setHeader('connection', 'close');
    }
  }

  #answersOn(socket: Socket): Set<ServerResponse> {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const answers = new Set<ServerResponse>();
    this.#connections.set(socket, answers);
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const response of answers) {
        // Node does so for the one whose turn it is, which has the socket.
        if (response.socket !== null || response.writableFinished) continue;
        response.destroy();
        response.emit('close');
      }
    });
    return answers;
  }
}
