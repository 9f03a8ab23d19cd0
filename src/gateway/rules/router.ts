import type { PathTemplate, Segment } from './path-template.js';

/** What a request's method and path lead to. */
export type Found<Target> =
  | {
      readonly kind: 'match';
      readonly target: Target;
      /** The path's segments as they were sent, not decoded; without the verb, when there is one. */
      readonly segments: readonly string[];
    }
  /** The path is there, for these methods only. */
  | { readonly kind: 'method'; readonly allow: readonly string[] }
  | { readonly kind: 'none' };

/** Matches every method, and comes after a route for the method itself. */
export const ANY_METHOD = '*';

interface Node<Target> {
  readonly literals: Map<string, Node<Target>>;
  any: Node<Target> | undefined;
  /** Behind a `**` that stands here. */
  rest: Node<Target> | undefined;
  /** Of a node behind a `**`: how many segments templates have from here on, the most first. */
  readonly tails: number[];
  /** Of templates that end here: by verb, '' for none, then by method. */
  readonly ends: Map<string, Map<string, Target>>;
}

/**
 * Finds the route of a request among path templates: a tree of segments. Where several match, the one with the literal
 * comes first, then `*`, then `**`, and of those the one with more behind it, segment by segment from the left; a verb comes
 * before a segment with a colon in it, and a longer verb before a shorter.
 *
 * A look-up visits each node of the tree at most once for every number of segments that templates have behind a `**`, and that for
 * every verb that the path may have: there are as many as the templates have, whatever the path is.
 */
export class Router<Target> {
  readonly #root: Node<Target> = newNode();
  readonly #verbs = new Set<string>();
  /** Most colons that a verb has, the one before it included. */
  #colons = 0;

  /**
   * Adds a route.
   *
   * @returns the route of the same method and a template that matches the same paths, if there is one: then nothing is added.
   */
  add(method: string, { segments, rest, verb = '' }: PathTemplate, target: Target): Target | undefined {
    let node = this.#root;
    for (const [at, segment] of segments.entries()) {
      node = childFor(node, segment);
      if (at === rest) addTail(node, segments.length - 1 - at);
    }
    const methods = node.ends.get(verb) ?? new Map<string, Target>();
    node.ends.set(verb, methods);
    const other = methods.get(method);
    if (other !== undefined) return other;
    methods.set(method, target);
    if (verb !== '') {
      this.#verbs.add(verb);
      this.#colons = Math.max(this.#colons, verb.split(':').length);
    }
    return undefined;
  }

  /**
   * @param path - as it was sent, from its `/` to before the `?`.
   * @throws URIError for what is no percent-encoded UTF-8.
   */
  find(method: string, path: string): Found<Target> {
    const segments = path === '/' ? [] : path.slice(1).split('/');
    const decoded = segments.map(decodedSegment);
    const last = segments.at(-1) ?? '';

    const allow = new Set<string>();
    const search = (of: string, texts: readonly string[]) =>
      visit(this.#root, texts, 0, (ends) => {
        const methods = ends.get(of);
        if (methods === undefined) return undefined;
        for (const name of methods.keys()) allow.add(name);
        // A server that knows GET knows HEAD (RFC 9110, 9.1).
        const found = methods.get(method) ?? (method === 'HEAD' ? methods.get('GET') : undefined);
        return found ?? methods.get(ANY_METHOD);
      });

    for (const colon of this.#verbColons(last)) {
      const verbless = last.slice(0, colon);
      const target = search(decodedSegment(last.slice(colon + 1)), [
        ...decoded.slice(0, -1),
        decodedSegment(verbless),
      ]);
      if (target !== undefined)
        return { kind: 'match', target, segments: [...segments.slice(0, -1), verbless] };
    }
    const target = search('', decoded);
    if (target !== undefined) return { kind: 'match', target, segments };
    if (allow.has('GET')) allow.add('HEAD');
    return allow.size === 0 ? { kind: 'none' } : { kind: 'method', allow: [...allow].sort() };
  }

  /** Where in a path's last segment a verb may begin, from the left. */
  #verbColons(last: string): readonly number[] {
    const colons: number[] = [];
    let at = last.length;
    for (let i = 0; i < this.#colons && at > 0; i++) {
      at = last.lastIndexOf(':', at - 1);
      if (at < 0) break;
      if (this.#verbs.has(decodedSegment(last.slice(at + 1)))) colons.unshift(at);
    }
    return colons;
  }
}

/** What `accept` first gives for an end that the segments from `at` on lead to. */
function visit<Target>(
  node: Node<Target>,
  segments: readonly string[],
  at: number,
  accept: (ends: Node<Target>['ends']) => Target | undefined,
): Target | undefined {
  const segment = segments[at];
  if (segment === undefined) {
    const found = accept(node.ends);
    if (found !== undefined) return found;
  } else {
    const literal = node.literals.get(segment);
    const found = literal && visit(literal, segments, at + 1, accept);
    if (found !== undefined) return found;
    if (node.any !== undefined && segment !== '') {
      const other = visit(node.any, segments, at + 1, accept);
      if (other !== undefined) return other;
    }
  }
  const { rest } = node;
  // What stands behind the `**` is at the end, and all that is before it is the `**`: only templates of that length end there.
  for (const tail of rest?.tails ?? NONE) {
    if (at + tail > segments.length) continue;
    const found = visit(rest!, segments, segments.length - tail, accept);
    if (found !== undefined) return found;
  }
  return undefined;
}

const NONE: readonly number[] = [];

function addTail({ tails }: Node<unknown>, length: number): void {
  if (!tails.includes(length)) tails.push(length);
  tails.sort((a, b) => b - a);
}

function childFor<Target>(node: Node<Target>, segment: Segment): Node<Target> {
  switch (segment.kind) {
    case 'any':
      node.any ??= newNode();
      return node.any;
    case 'rest':
      node.rest ??= newNode();
      return node.rest;
    case 'literal': {
      const child = node.literals.get(segment.text) ?? newNode<Target>();
      node.literals.set(segment.text, child);
      return child;
    }
  }
}

function newNode<Target>(): Node<Target> {
  return { literals: new Map(), any: undefined, rest: undefined, tails: [], ends: new Map() };
}

function decodedSegment(segment: string): string {
  return segment.includes('%') ? decodeURIComponent(segment) : segment;
}
