/**
 * A request to the host as data. The same description is sent, shown beside the button that sends it, and copied as a
 * command: what is told is what is done.
 */

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

export type Call = {
  method: Method;
  path: string;
  body?: unknown;
  /** The tag of what this is a change of. */
  ifMatch?: string;
  /** Words of the program's own command line that do the same; absent where it has none. */
  cli?: readonly string[];
};

/** `POST /api/training/stop` */
export function callLine(call: Call): string {
  return `${call.method} ${call.path}`;
}

export function asCurl(call: Call, origin: string): string {
  const words = ['curl'];
  if (call.method !== 'GET') words.push('-X', call.method);
  if (call.ifMatch !== undefined) words.push('-H', `If-Match: ${call.ifMatch}`);
  if (call.body !== undefined) words.push('-H', 'Content-Type: application/json', '-d', JSON.stringify(call.body));
  words.push(origin + call.path);
  return words.map(quoted).join(' ');
}

/** The address that the program takes without being told. */
const ORIGIN_DEFAULT = 'http://127.0.0.1:8420';

export function asCli(call: Call, origin: string): string | null {
  if (call.cli === undefined) return null;
  const where = origin === ORIGIN_DEFAULT ? [] : ['--url', origin];
  return ['pointsman', ...where, ...call.cli].map(quoted).join(' ');
}

/** One word of a shell, whatever is in it. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `?a=1&b=2`, without what is empty or not asked for. */
export function query(params: Record<string, string | number | boolean | undefined>): string {
  const set = Object.entries(params).filter(([, value]) => value !== undefined && value !== '' && value !== false);
  return set.length === 0 ? '' : '?' + new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
}

const reasoned = (reason: string) => (reason === '' ? [] : ['--reason', reason]);

/** The host's commands that more than one page sends. */
export const calls = {
  training: (start: boolean, reason: string): Call => ({ method: 'POST', path: `/api/training/${start ? 'start' : 'stop'}`, body: { reason }, cli: ['train', start ? 'start' : 'stop', ...reasoned(reason)] }),
  rollBackPolicy: (kind: string, reason: string, wholeSet: boolean): Call => ({
    method: 'POST',
    path: `/api/v1/policies/${encodeURIComponent(kind)}/rollback`,
    body: wholeSet ? { reason, whole_set: true } : { reason },
    cli: ['policy', 'rollback', kind, ...(wholeSet ? ['--set'] : []), ...reasoned(reason)],
  }),
  rollBackModel: (reason: string): Call => ({ method: 'POST', path: '/api/v1/models/rollback', body: { reason }, cli: ['models', 'rollback', ...reasoned(reason)] }),
  /** `seen` is the decision that it was held with when it was looked at: a late click on another one does nothing. */
  decideHeld: (tag: string, approve: boolean, reason: string, { seen, despiteGuards = false }: { seen?: number; despiteGuards?: boolean } = {}): Call => {
    const verb = approve ? 'approve' : 'reject';
    if (seen === undefined) return { method: 'POST', path: `/api/v1/models/${encodeURIComponent(tag)}/${verb}`, body: { reason }, cli: ['models', verb, tag, ...reasoned(reason)] };
    const despite = despiteGuards ? { despite_guards: true } : {};
    return { method: 'POST', path: `/api/v1/promotion/${verb}`, body: { candidate: tag, decision: seen, ...despite, reason }, cli: ['promotion', verb, tag, '--decision', String(seen), ...(despiteGuards ? ['--despite-guards'] : []), ...reasoned(reason)] };
  },
  pinModel: (tag: string, pinned: boolean, reason: string): Call => {
    const verb = pinned ? 'pin' : 'unpin';
    return { method: 'POST', path: `/api/v1/models/${encodeURIComponent(tag)}/${verb}`, body: { reason }, cli: ['models', verb, tag, ...reasoned(reason)] };
  },
  prune: (plan: string, keep: number, reason: string): Call => ({ method: 'POST', path: '/api/v1/models/prune', body: { plan, keep, reason }, cli: ['models', 'prune', '--keep', String(keep), '--plan', plan, ...reasoned(reason)] }),
  cancelJob: (id: number, reason: string): Call => ({ method: 'POST', path: `/api/v1/jobs/${id}/cancel`, body: { reason }, cli: ['cancel', String(id), ...reasoned(reason)] }),
};
