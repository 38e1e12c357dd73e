/**
 * RFC 6902 JSON Patch on immutable values: what an operation does not touch keeps its identity, so that a view can tell
 * by comparing references what has changed.
 */

export type Operation = { op: string; path: string; from?: string; value?: unknown };

/** The patch does not fit the document. The document given is untouched. */
export class PatchError extends Error {
  override name = 'PatchError';
}

export function applyPatch(document: unknown, patch: readonly Operation[]): unknown {
  return patch.reduce(applyOperation, document);
}

function applyOperation(document: unknown, operation: Operation): unknown {
  const { op, path, from, value } = operation;
  switch (op) {
    case 'add':
      return add(document, tokens(path), value);
    case 'replace':
      return replace(document, tokens(path), value);
    case 'remove':
      return remove(document, tokens(path));
    case 'move': {
      const origin = tokens(needed(from, op));
      const moved = read(document, origin);
      return add(remove(document, origin), tokens(path), moved);
    }
    case 'copy':
      return add(document, tokens(path), read(document, tokens(needed(from, op))));
    case 'test':
      if (!same(read(document, tokens(path)), value)) throw new PatchError(`test failed at ${path}`);
      return document;
    default:
      throw new PatchError(`unknown operation ${op}`);
  }
}

function needed(from: string | undefined, op: string): string {
  if (from === undefined) throw new PatchError(`${op} without from`);
  return from;
}

function tokens(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new PatchError(`not a JSON pointer: ${pointer}`);
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(node: unknown, path: readonly string[]): unknown {
  return path.reduce((at, token) => child(at, token), node);
}

function add(node: unknown, path: readonly string[], value: unknown): unknown {
  return edit(node, path, value, (parent, token) => {
    if (!Array.isArray(parent)) return { ...parent, [token]: value };
    const at = token === '-' ? parent.length : index(token, parent.length);
    return parent.toSpliced(at, 0, value);
  });
}

function replace(node: unknown, path: readonly string[], value: unknown): unknown {
  return edit(node, path, value, (parent, token) => {
    child(parent, token);
    return Array.isArray(parent) ? parent.with(Number(token), value) : { ...parent, [token]: value };
  });
}

function remove(node: unknown, path: readonly string[]): unknown {
  return edit(node, path, null, (parent, token) => {
    child(parent, token);
    if (Array.isArray(parent)) return parent.toSpliced(Number(token), 1);
    const { [token]: _, ...rest } = parent;
    return rest;
  });
}

type Container = unknown[] | Record<string, unknown>;

/** Copies the containers on the way to the last token and lets `change` answer the copy of the last one. */
function edit(node: unknown, path: readonly string[], whole: unknown, change: (parent: Container, token: string) => Container): unknown {
  const [token, ...rest] = path;
  if (token === undefined) return whole;
  if (rest.length === 0) return change(container(node), token);
  const below = edit(child(node, token), rest, whole, change);
  const parent = container(node);
  return Array.isArray(parent) ? parent.with(Number(token), below) : { ...parent, [token]: below };
}

function child(node: unknown, token: string): unknown {
  const parent = container(node);
  if (Array.isArray(parent)) return parent[index(token, parent.length - 1)];
  if (!Object.hasOwn(parent, token)) throw new PatchError(`there is no ${token}`);
  return parent[token];
}

function container(node: unknown): Container {
  if (Array.isArray(node)) return node;
  // An object that is no array is read by its own keys only (`hasOwn` above).
  if (typeof node === 'object' && node !== null) return node as Record<string, unknown>;
  throw new PatchError('the path leads through a value that has no members');
}

function index(token: string, last: number): number {
  if (!/^(0|[1-9][0-9]*)$/.test(token) || Number(token) > last) throw new PatchError(`no such place in a list: ${token}`);
  return Number(token);
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(read(a, [key]), read(b, [key])));
}
