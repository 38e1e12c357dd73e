/** A file to the host as it is, with word of how much has left, and the host's answer line by line. */

import { exact } from '../api';
import type { ImportLine, Problem } from '../wire';

export type Hear = { sent(bytes: number): void; line(line: ImportLine): void };

/**
 * Answers a problem where the host gave none of its own. An `XMLHttpRequest`, since `fetch` does not tell how much of a body has
 * left; the host takes the file only as fast as it reads, so what has left is nearly what is read.
 */
export function sendFile(path: string, file: Blob, type: string, hear: Hear, signal: AbortSignal): Promise<Problem | null> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let read = 0;
    const take = (last: boolean) => {
      const text = request.responseText;
      const end = last ? text.length : text.lastIndexOf('\n') + 1;
      const lines = text.slice(read, end).split('\n');
      read = Math.max(read, end);
      // The host's types are this page's types: both are made from one source.
      for (const line of lines) if (line.trim() !== '') hear.line(JSON.parse(line, exact) as ImportLine);
    };
    const ended = (problem: Problem | null) => resolve(signal.aborted ? ABORTED : problem);
    request.upload.onprogress = (event) => hear.sent(event.loaded);
    request.onprogress = () => {
      if (request.status === 200) take(false);
    };
    request.onload = () => {
      try {
        if (request.status === 200) take(true);
        ended(request.status === 200 ? null : problemOf(request));
      } catch {
        ended(CUT_OFF);
      }
    };
    request.onerror = () => ended(CUT_OFF);
    request.onabort = () => ended(ABORTED);
    signal.addEventListener('abort', () => request.abort());
    request.open('POST', path);
    request.setRequestHeader('content-type', type);
    request.setRequestHeader('accept', 'application/x-ndjson');
    request.send(file);
  });
}

const CUT_OFF: Problem = {
  type: 'about:blank',
  title: 'The import broke off',
  status: 0,
  detail: 'The connection to the host ended before its report. What it took until then is queued.',
  code: 'cut-off',
  errors: [],
  fix: 'Import the same file again: what was taken is not taken twice',
};
const ABORTED: Problem = { ...CUT_OFF, title: 'The import was ended', detail: 'You ended it. What the host took until then is queued.', code: 'aborted' };

function problemOf(request: XMLHttpRequest): Problem {
  try {
    const given = JSON.parse(request.responseText) as Partial<Problem>;
    return { ...CUT_OFF, title: `The host answered ${request.status}`, detail: '', fix: null, ...given, errors: given.errors ?? [], status: request.status };
  } catch {
    return { ...CUT_OFF, title: `The host answered ${request.status}`, detail: request.responseText.slice(0, 300), fix: null, status: request.status };
  }
}

/** The same file has the same name, so that the host takes nothing of it twice. */
export async function nonceOf(file: Blob): Promise<string> {
  // Browsers digest on secure pages only, and the whole file is held for it.
  const DIGESTED_MAX = 128 * 1024 * 1024;
  if (!('subtle' in crypto) || crypto.subtle === undefined || file.size > DIGESTED_MAX) return fresh();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return 'page-' + hex(digest.slice(0, 12));
}

/** A name of its own: the file is taken once more, whatever was taken of it before. */
export function fresh(): string {
  return 'page-' + hex(crypto.getRandomValues(new Uint8Array(12)));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
