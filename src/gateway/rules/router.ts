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
  /** `**` from here on. */
  rest: Node<Target> | undefined;
  /** Of templates that end here: by verb, '' for none, then by method. */
  readonly ends: Map<string, Map<string, Target>>;
}

/**
 * Finds the route of a request among path templates: a tree of segments. Where several match, the one with the literal
 * comes first, then `*`, then `**`, segment by segment from the left; a verb comes before a segment with a colon in it.
 *
 * A look-up visits each node of the tree at most twice, whatever the path is.
 */
export class Router<Target> {
  readonly #root: Node<Target> = newNode();
  readonly #verbs = new Set<string>();

  /**
   * Adds a route.
   *
   * @returns the route of the same method and a template that matches the same paths, if there is one: then nothing is added.
   */
  add(method: string, { segments, verb = '' }: PathTemplate, target: Target): Target | undefined {
    let node = this.#root;
    for (const segment of segments) node = childFor(node, segment);
    const methods = node.ends.get(verb) ?? new Map<string, Target>();
    node.ends.set(verb, methods);
    const other = methods.get(method);
    if (other !== undefined) return other;
    methods.set(method, target);
    if (verb !== '') this.#verbs.add(verb);
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
    const colon = last.lastIndexOf(':');
    const verb = colon < 0 ? '' : decodedSegment(last.slice(colon + 1));
    const verbless = this.#verbs.has(verb) ? last.slice(0, colon) : undefined;

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

    if (verbless !== undefined) {
      const target = search(verb, [...decoded.slice(0, -1), decodedSegment(verbless)]);
      if (target !== undefined)
        return { kind: 'match', target, segments: [...segments.slice(0, -1), verbless] };
    }
    const target = search('', decoded);
    if (target !== undefined) return { kind: 'match', target, segments };
    if (allow.has('GET')) allow.add('HEAD');
    return allow.size === 0 ? { kind: 'none' } : { kind: 'method', allow: [...allow].sort() };
  }
}

/** What `accept` first gives for an end that the segments from `at` on lead to. */
function visit<Target>(
  node: Node<Target>,
  segments: readonly string[],
  at: number,
  accept: (ends: Node<Target>['ends']) => Target | undefined,
): Target | undefined {
  if (at === segments.length) {
    return accept(node.ends) ?? (node.rest && accept(node.rest.ends));
  }
  const segment = segments[at]!;
  const literal = node.literals.get(segment);
  const found = literal && visit(literal, segments, at + 1, accept);
  if (found !== undefined) return found;
  if (node.any !== undefined && segment !== '') {
    const other = visit(node.any, segments, at + 1, accept);
    if (other !== undefined) return other;
  }
  return node.rest && accept(node.rest.ends);
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
  return { literals: new Map(), any: undefined, rest: undefined, ends: new Map() };
}

function decodedSegment(segment: string): string {
  return segment.includes('%') ? decodeURIComponent(segment) : segment;
}
