/** The host's HTTP interface. Every call answers a value or a problem; nothing throws. */

import type { Call } from './call';
import { LineReader } from './lines';
import type { Problem } from './wire';

export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export function read<T>(path: string, onHeaders?: (headers: Headers) => void): Promise<Result<T>> {
  return request<T>(path, { headers: { accept: 'application/json' } }, onHeaders);
}

export function write<T>(path: string, body: unknown, signal?: AbortSignal): Promise<Result<T>> {
  return request<T>(path, posted(body, 'application/json', signal));
}

/** Sends what a button shows. */
export function perform<T>(call: Call): Promise<Result<T>> {
  const { method, path, body, ifMatch } = call;
  if (method === 'GET') return read<T>(path);
  const headers: Record<string, string> = { accept: 'application/json', 'idempotency-key': key() };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (ifMatch !== undefined) headers['if-match'] = ifMatch;
  return request<T>(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

/**
 * Asks for an answer that comes line by line, and hands over each line as it comes. Ended by `signal`, nothing more is handed
 * over, and the problem's code is `aborted`.
 */
export async function writeForLines<T>(path: string, body: unknown, onLine: (line: T) => void, signal: AbortSignal): Promise<Result<null>> {
  const lines = new LineReader(exact);
  const tell = (values: unknown[]) => {
    // The host's types are this page's types: both are made from one source.
    if (!signal.aborted) values.forEach((value) => onLine(value as T));
  };
  try {
    const response = await fetch(path, { ...posted(body, 'application/x-ndjson', signal), credentials: 'same-origin', cache: 'no-store' });
    if (!response.ok || response.body === null) {
      const text = await response.text();
      return { ok: false, problem: problemOf(parsed(text), response.status, text) };
    }
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) tell(lines.take(part.value));
    tell(lines.end());
    return { ok: true, value: null };
  } catch (error) {
    if (signal.aborted) return { ok: false, problem: ABORTED };
    return { ok: false, problem: error instanceof SyntaxError ? CUT_OFF : UNREACHABLE };
  }
}

function posted(body: unknown, accept: string, signal?: AbortSignal): RequestInit {
  return {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', 'idempotency-key': key() },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** A file of the host as its bytes. */
export async function readBytes(path: string): Promise<Result<Uint8Array>> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store' });
    if (response.ok) return { ok: true, value: new Uint8Array(await response.arrayBuffer()) };
  } catch {
    return { ok: false, problem: UNREACHABLE };
  }
  const text = await response.text().catch(() => '');
  return { ok: false, problem: problemOf(parsed(text), response.status, text) };
}

async function request<T>(path: string, init: RequestInit, onHeaders?: (headers: Headers) => void): Promise<Result<T>> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, credentials: 'same-origin', cache: 'no-store' });
  } catch {
    return { ok: false, problem: UNREACHABLE };
  }
  onHeaders?.(response.headers);
  const text = await response.text().catch(() => '');
  const value = parsed(text);
  // The host's types are this page's types: both are made from one source.
  if (response.ok && value !== undefined) return { ok: true, value: value as T };
  return { ok: false, problem: problemOf(value, response.status, text) };
}

const UNREACHABLE: Problem = {
  type: 'about:blank',
  title: 'The host does not answer',
  status: 0,
  detail: 'No connection to the host could be made. Nothing was changed.',
  code: 'unreachable',
  errors: [],
  fix: 'See whether it runs: pointsman up',
};

const ABORTED: Problem = { ...UNREACHABLE, title: 'It was ended', detail: 'Nobody waits for this answer any more.', code: 'aborted', fix: null };
const CUT_OFF: Problem = { ...UNREACHABLE, title: 'The answer was cut off', detail: 'The host, or something between it and this page, ended the answer before its end.', code: 'cut-off', fix: 'Try again' };

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text, exact);
  } catch {
    return undefined;
  }
}

/** Whole numbers beyond 2^53, such as seeds, would be rounded: they are kept as the digits they came as. */
export function exact(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?[0-9]+$/.test(source) ? source : value;
}

/** Takes what there is of a problem+json, for an answer may also come from something between us and the host. */
function problemOf(value: unknown, status: number, text: string): Problem {
  const given: Partial<Problem> = typeof value === 'object' && value !== null ? value : {};
  return {
    type: given.type ?? 'about:blank',
    title: given.title ?? `The host answered ${status}`,
    status,
    detail: given.detail ?? text.slice(0, 300),
    code: given.code ?? `http-${status}`,
    errors: Array.isArray(given.errors) ? given.errors : [],
    fix: given.fix ?? null,
  };
}

/** `crypto.randomUUID` is missing where a page comes over plain HTTP from another machine. */
function key(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
