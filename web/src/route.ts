/** Addresses: each screen, filter and selection is in the URL, so that a link shows what its sender saw. */

export type Route =
  | { page: 'overview' }
  | { page: 'queue'; filter: QueueFilter }
  | { page: 'source'; id: number }
  | { page: 'campaigns' }
  | { page: 'campaign'; id: number; cursor: string }
  | { page: 'jobs'; status: string; search: string }
  | { page: 'job'; id: number }
  | { page: 'decisions'; kind: string }
  | { page: 'decision'; id: number }
  | { page: 'policies' }
  | { page: 'policy'; kind: string }
  | { page: 'editor'; kind: string; from: string }
  | { page: 'version'; digest: string }
  | { page: 'diff'; a: string; b: string }
  | { page: 'promotion'; at: string }
  /** `search` is what the learning memory is asked for. */
  | { page: 'relay'; search: string }
  | { page: 'settings'; search: string }
  /** `since` is the journal position that improvement is told from; empty for where this visit began. */
  | { page: 'diagnostics'; since: string }
  | { page: 'missing'; path: string };

/** What the backlog is narrowed to. No status stands for what is open, `all` for the ended, too. */
export type QueueFilter = { status: string; lane: string; host: string; origin: string; campaign: string; text: string; cursor: string };

export const WHOLE_BACKLOG: QueueFilter = { status: '', lane: '', host: '', origin: '', campaign: '', text: '', cursor: '' };

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const params = new URLSearchParams(query);
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second] = parts;
  if (parts.length === 0) return { page: 'overview' };
  if (parts.length === 1 && first === 'queue') return { page: 'queue', filter: parseFilter(params) };
  if (parts.length === 1 && first === 'campaigns') return { page: 'campaigns' };
  if (parts.length === 1 && first === 'jobs') return { page: 'jobs', status: params.get('status') ?? '', search: params.get('q') ?? '' };
  if (parts.length === 1 && first === 'decisions') return { page: 'decisions', kind: params.get('kind') ?? '' };
  if (parts.length === 1 && first === 'promotion') return { page: 'promotion', at: params.get('at') ?? '' };
  if (parts.length === 1 && first === 'relay') return { page: 'relay', search: params.get('q') ?? '' };
  if (parts.length === 1 && first === 'settings') return { page: 'settings', search: params.get('q') ?? '' };
  if (parts.length === 1 && first === 'diagnostics') return { page: 'diagnostics', since: /^[0-9]{1,15}$/.test(params.get('since') ?? '') ? params.get('since')! : '' };
  if (first === 'policies') return parsePolicies(parts.slice(1), params) ?? { page: 'missing', path };
  if (parts.length === 2 && second !== undefined && /^[0-9]{1,15}$/.test(second)) {
    if (first === 'queue') return { page: 'source', id: Number(second) };
    if (first === 'campaigns') return { page: 'campaign', id: Number(second), cursor: params.get('cursor') ?? '' };
    if (first === 'jobs') return { page: 'job', id: Number(second) };
    if (first === 'decisions') return { page: 'decision', id: Number(second) };
  }
  return { page: 'missing', path };
}

function parseFilter(params: URLSearchParams): QueueFilter {
  const names = Object.keys(WHOLE_BACKLOG) as (keyof QueueFilter)[];
  return Object.fromEntries(names.map((name) => [name, params.get(name) ?? ''])) as QueueFilter;
}

function parsePolicies([first, second, ...more]: string[], params: URLSearchParams): Route | null {
  if (more.length > 0) return null;
  if (first === undefined) return { page: 'policies' };
  if (first === 'versions') return second !== undefined && DIGEST.test(second) ? { page: 'version', digest: second } : null;
  if (second === 'edit' && KIND.test(first)) {
    const from = params.get('from') ?? '';
    return from === '' || DIGEST.test(from) ? { page: 'editor', kind: first, from } : null;
  }
  if (second !== undefined) return null;
  if (first === 'diff') {
    const [a, b] = [params.get('a') ?? '', params.get('b') ?? ''];
    return DIGEST.test(a) && DIGEST.test(b) ? { page: 'diff', a, b } : null;
  }
  return KIND.test(first) ? { page: 'policy', kind: first } : null;
}

const KIND = /^[a-z-]{1,40}$/;
/** A digest of a version, or enough of its beginning. */
const DIGEST = /^[0-9a-f]{6,64}$/;

export function href(route: Route): string {
  switch (route.page) {
    case 'overview':
      return '#/';
    case 'queue':
      return '#/queue' + query(route.filter);
    case 'source':
      return `#/queue/${route.id}`;
    case 'campaigns':
      return '#/campaigns';
    case 'campaign':
      return `#/campaigns/${route.id}` + query({ cursor: route.cursor });
    case 'jobs':
      return '#/jobs' + query({ status: route.status, q: route.search });
    case 'job':
      return `#/jobs/${route.id}`;
    case 'decisions':
      return '#/decisions' + query({ kind: route.kind });
    case 'decision':
      return `#/decisions/${route.id}`;
    case 'policies':
      return '#/policies';
    case 'policy':
      return `#/policies/${route.kind}`;
    case 'editor':
      return `#/policies/${route.kind}/edit` + query({ from: route.from });
    case 'version':
      return `#/policies/versions/${route.digest}`;
    case 'diff':
      return '#/policies/diff' + query({ a: route.a, b: route.b });
    case 'promotion':
      return '#/promotion' + query({ at: route.at });
    case 'relay':
      return '#/relay' + query({ q: route.search });
    case 'settings':
      return '#/settings' + query({ q: route.search });
    case 'diagnostics':
      return '#/diagnostics' + query({ since: route.since });
    case 'missing':
      return '#' + route.path;
  }
}

function query(params: Record<string, string>): string {
  const set = Object.entries(params).filter(([, value]) => value !== '');
  return set.length === 0 ? '' : '?' + new URLSearchParams(set).toString();
}
