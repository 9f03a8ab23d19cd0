import { BalancerError } from '../../base/errors.js';

/** What one segment of a path must be: this text, decoded; anything but nothing (`*`); or all that is left (`**`). */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'rest' };

/** A part of the path that goes into a field of the request: the segments from `start` up to, not with, `end`. */
export interface Variable {
  /** `['message', 'id']` of `{message.id}`. */
  readonly fieldPath: readonly string[];
  readonly start: number;
  /** `Infinity` when it ends with `**`. */
  readonly end: number;
  /** It has exactly one segment, which is not `**`: its value is decoded wholly. */
  readonly single: boolean;
}

/** A path template of `google.api.http`, taken apart. */
export interface PathTemplate {
  /** As it was written. */
  readonly source: string;
  readonly segments: readonly Segment[];
  /** `cancel` of `/v1/{name}:cancel`; undefined without. */
  readonly verb: string | undefined;
  readonly variables: readonly Variable[];
}

const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
/** A literal segment: RFC 3986's pchar, without what the grammar gives a meaning. */
const LITERAL = /(?:[A-Za-z0-9\-._~!$&'()+,;:@]|%[0-9A-Fa-f]{2})+/y;
const VERB = /:((?:[A-Za-z0-9\-._~!$&'()+,;@]|%[0-9A-Fa-f]{2})+)$/;

/**
 * Takes a template apart by the grammar in google/api/http.proto:
 *
 *     Template = "/" Segments [ Verb ] ;
 *     Segments = Segment { "/" Segment } ;
 *     Segment  = "*" | "**" | LITERAL | Variable ;
 *     Variable = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     Verb     = ":" LITERAL ;
 *
 * `**` stands at the end only, and a variable holds no other. `/` alone, which the grammar leaves out, is the root.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming the template, what is wrong, and where.
 */
export function parsePathTemplate(source: string): PathTemplate {
  // The verb is what follows the last colon of the last segment, outside of a variable.
  const tail = Math.max(source.lastIndexOf('/'), source.lastIndexOf('}')) + 1;
  const verb = VERB.exec(source.slice(tail))?.[1];
  const parser = new Parser(source, verb === undefined ? source.length : source.length - verb.length - 1);
  return { ...parser.template(), source, verb: verb === undefined ? undefined : decodeURIComponent(verb) };
}

class Parser {
  #at = 0;
  readonly #segments: Segment[] = [];
  readonly #variables: Variable[] = [];

  constructor(
    private readonly source: string,
    private readonly end: number,
  ) {}

  template(): { segments: Segment[]; variables: Variable[] } {
    this.#expect('/');
    if (this.#at === this.end && this.#at === this.source.length) return { segments: [], variables: [] };
    this.#sequence(false);
    if (this.#at < this.end) this.#fail(`has ${JSON.stringify(this.source[this.#at])} where a "/" must be`);
    const rest = this.#segments.findIndex(({ kind }) => kind === 'rest');
    if (rest >= 0 && rest < this.#segments.length - 1) this.#fail('has "**" before its end');
    return { segments: this.#segments, variables: this.#variables };
  }

  #sequence(inVariable: boolean): void {
    do this.#segment(inVariable);
    while (this.#take('/'));
  }

  #segment(inVariable: boolean): void {
    if (this.#take('**')) this.#segments.push({ kind: 'rest' });
    else if (this.#take('*')) this.#segments.push({ kind: 'any' });
    else if (this.#take('{')) {
      if (inVariable) this.#fail('has a variable inside another');
      this.#variable();
    } else {
      const text = this.#match(LITERAL) ?? this.#fail('lacks a segment');
      if (text.endsWith(':')) this.#fail('lacks a verb after its colon');
      this.#segments.push({ kind: 'literal', text: this.#decoded(text) });
    }
  }

  #variable(): void {
    const fieldPath: string[] = [];
    do fieldPath.push(this.#match(IDENT) ?? this.#fail('lacks the name of a field'));
    while (this.#take('.'));
    const name = fieldPath.join('.');
    if (this.#variables.some((other) => other.fieldPath.join('.') === name))
      this.#fail(`has {${name}} twice`);

    const start = this.#segments.length;
    if (this.#take('=')) this.#sequence(true);
    else this.#segments.push({ kind: 'any' });
    this.#expect('}');
    const rest = this.#segments.at(-1)?.kind === 'rest';
    const end = rest ? Number.POSITIVE_INFINITY : this.#segments.length;
    this.#variables.push({ fieldPath, start, end, single: end - start === 1 });
  }

  #decoded(text: string): string {
    try {
      return decodeURIComponent(text);
    } catch {
      return this.#fail(`has ${JSON.stringify(text)}, which is no percent-encoded UTF-8`);
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.source.slice(0, this.end))?.[0];
    this.#at += text?.length ?? 0;
    return text;
  }

  #take(text: string): boolean {
    const found = this.source.startsWith(text, this.#at) && this.#at + text.length <= this.end;
    if (found) this.#at += text.length;
    return found;
  }

  #expect(text: string): void {
    if (!this.#take(text)) this.#fail(`lacks a ${JSON.stringify(text)}`);
  }

  #fail(what: string): never {
    throw new BalancerError(
      'INVALID_OPTION',
      `the path template ${JSON.stringify(this.source)} ${what} at position ${this.#at}; ` +
        'see "Path template syntax" in google/api/http.proto',
    );
  }
}
