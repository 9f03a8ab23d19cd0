import type { ServerReflectionRequest } from '../../../generated/grpc/reflection/v1/reflection.js';

/** What a client of reflection asks for. */
export type Question = Partial<ServerReflectionRequest>;

/** Requests of one call, which ends when all are answered: each has exactly one response, in order. */
export class Questions implements AsyncIterable<ServerReflectionRequest> {
  readonly #unsent: ServerReflectionRequest[] = [];
  readonly #unanswered: ServerReflectionRequest[] = [];
  #open = 0;
  #wake = () => {};

  ask(question: Question): void {
    this.#unsent.push({
      host: '',
      fileByFilename: undefined,
      fileContainingSymbol: undefined,
      fileContainingExtension: undefined,
      allExtensionNumbersOfType: undefined,
      listServices: undefined,
      ...question,
    });
    this.#open += 1;
    this.#wake();
  }

  /** The question that the next answer is to. */
  answered(): Question {
    return this.#unanswered.shift() ?? {};
  }

  /** What follows from an answer is asked: without more, the call ends. */
  goOn(): void {
    this.#open -= 1;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ServerReflectionRequest, void, undefined> {
    while (this.#open > 0) {
      const question = this.#unsent.shift();
      if (question !== undefined) {
        this.#unanswered.push(question);
        yield question;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
