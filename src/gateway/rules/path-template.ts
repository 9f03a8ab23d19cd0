import { BalancerError } from '../../base/errors.js';

/** What one segment of a path must be: this text, decoded; anything but nothing (`*`); or any number of segments (`**`). */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'rest' };

/** A part of the path that goes into a field: the segments of the template from `start` up to, not with, `end`. */
export interface Variable {
  /** `['message', 'id']` of `{message.id}`. */
  readonly fieldPath: readonly string[];
  readonly start: number;
  readonly end: number;
  /** It has exactly one segment, which is not `**`: its value is decoded wholly. */
  readonly single: boolean;
}

/** A path template of `google.api.http`, taken apart. */
export interface PathTemplate {
  /** As it was written. */
  readonly source: string;
  readonly segments: readonly Segment[];
  /** Where the `**` is among them, the only one; undefined without. */
  readonly rest: number | undefined;
  /** `cancel` of `/v1/{name}:cancel`; undefined without. */
  readonly verb: string | undefined;
  readonly variables: readonly Variable[];
}

const IDENT = /[A-Za-z_][A-Za-z0-9_]*/y;
/** A literal segment: RFC 3986's pchar, without what the grammar gives a meaning. */
const LITERAL = /(?:[A-Za-z0-9\-._~!$&'()+,;:@]|%[0-9A-Fa-f]{2})+/y;
const VERB = /:((?:[A-Za-z0-9\-._~!$&'()+,;@]|%[0-9A-Fa-f]{2})+)$/;
/** Behind a variable or a wildcard a colon can begin nothing but the verb, which may then hold others. */
const VERB_BEHIND_WILDCARD = /^:((?:[A-Za-z0-9\-._~!$&'()+,;:@]|%[0-9A-Fa-f]{2})*[^:])$/;

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
 * There is one `**` at most, and a variable holds no other. What stands behind it is taken from the end of a path, as Envoy and
 * grpc-gateway have it, though http.proto would have it at the end only. `/` alone, which the grammar leaves out, is the root.
 *
 * @throws {@link BalancerError} INVALID_OPTION, naming the template, what is wrong, and where.
 */
export function parsePathTemplate(source: string): PathTemplate {
  // The verb is what follows the last colon of the last segment, outside of a variable; behind a wildcard, the first.
  const slash = source.lastIndexOf('/');
  const tail = Math.max(slash, source.lastIndexOf('}')) + 1;
  const end = source.slice(tail);
  const wildcard = tail > slash + 1 ? '' : (/^\*+/.exec(end)?.[0] ?? undefined);
  const verb =
    wildcard === undefined ? VERB.exec(end)?.[1] : VERB_BEHIND_WILDCARD.exec(end.slice(wildcard.length))?.[1];
  const parser = new Parser(source, verb === undefined ? source.length : source.length - verb.length - 1);
  return { ...parser.template(), source, verb: verb === undefined ? undefined : decodeURIComponent(verb) };
}

/**
 * Where a variable's segments are in a path of so many: behind the `**`, everything is as far from the end as in the template.
 *
 * @returns from, and up to, not with.
 */
export function placeOf(
  { start, end }: Variable,
  { segments, rest }: PathTemplate,
  length: number,
): readonly [from: number, to: number] {
  const behind = (at: number) => (rest !== undefined && at > rest ? at + length - segments.length : at);
  return [behind(start), behind(end)];
}

class Parser {
  #at = 0;
  readonly #segments: Segment[] = [];
  #rest: number | undefined = undefined;
  readonly #variables: Variable[] = [];

  constructor(
    private readonly source: string,
    private readonly end: number,
  ) {}

  template(): Pick<PathTemplate, 'segments' | 'rest' | 'variables'> {
    this.#expect('/');
    if (this.#at === this.end && this.#at === this.source.length) {
      return { segments: [], rest: undefined, variables: [] };
    }
    this.#sequence(false);
    if (this.#at < this.end) this.#fail(`has ${JSON.stringify(this.source[this.#at])} where a "/" must be`);
    return { segments: this.#segments, rest: this.#rest, variables: this.#variables };
  }

  #sequence(inVariable: boolean): void {
    do this.#segment(inVariable);
    while (this.#take('/'));
  }

  #segment(inVariable: boolean): void {
    if (this.#take('**')) {
      if (this.#rest !== undefined) this.#fail('has "**" twice');
      this.#rest = this.#segments.length;
      this.#segments.push({ kind: 'rest' });
    } else if (this.#take('*')) this.#segments.push({ kind: 'any' });
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
    const end = this.#segments.length;
    const single = end - start === 1 && this.#rest !== start;
    this.#variables.push({ fieldPath, start, end, single });
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
