import { expect, test } from 'vitest';
import { href, parseRoute, WHOLE_BACKLOG, type Route } from './route';

const routes: [string, Route][] = [
  ['#/', { page: 'overview' }],
  ['#/queue', { page: 'queue', filter: WHOLE_BACKLOG }],
  ['#/queue?status=disabled&lane=queue&host=novel&origin=ui&campaign=c-3&text=old+letters&cursor=AAx1', { page: 'queue', filter: { status: 'disabled', lane: 'queue', host: 'novel', origin: 'ui', campaign: 'c-3', text: 'old letters', cursor: 'AAx1' } }],
  ['#/queue/12', { page: 'source', id: 12 }],
  ['#/campaigns', { page: 'campaigns' }],
  ['#/campaigns/3', { page: 'campaign', id: 3, cursor: '' }],
  ['#/campaigns/3?cursor=AAx1', { page: 'campaign', id: 3, cursor: 'AAx1' }],
  ['#/jobs', { page: 'jobs', status: '', search: '' }],
  ['#/jobs?status=failed&q=out+of+memory', { page: 'jobs', status: 'failed', search: 'out of memory' }],
  ['#/jobs/12', { page: 'job', id: 12 }],
  ['#/decisions', { page: 'decisions', kind: '' }],
  ['#/decisions?kind=retry', { page: 'decisions', kind: 'retry' }],
  ['#/decisions/7', { page: 'decision', id: 7 }],
  ['#/policies', { page: 'policies' }],
  ['#/policies/source-selection', { page: 'policy', kind: 'source-selection' }],
  ['#/policies/retry/edit', { page: 'editor', kind: 'retry', from: '' }],
  ['#/policies/retry/edit?from=0123abcd', { page: 'editor', kind: 'retry', from: '0123abcd' }],
  ['#/policies/versions/0123abcd', { page: 'version', digest: '0123abcd' }],
  ['#/policies/diff?a=0123abcd&b=4567cdef', { page: 'diff', a: '0123abcd', b: '4567cdef' }],
  ['#/promotion', { page: 'promotion', at: '' }],
  ['#/promotion?at=2026-01-02T03%3A04', { page: 'promotion', at: '2026-01-02T03:04' }],
  ['#/settings', { page: 'settings', search: '' }],
  ['#/settings?q=guard', { page: 'settings', search: 'guard' }],
  ['#/relay', { page: 'relay', search: '' }],
  ['#/relay?q=sea+whale', { page: 'relay', search: 'sea whale' }],
  ['#/diagnostics', { page: 'diagnostics', since: '' }],
  ['#/diagnostics?since=812', { page: 'diagnostics', since: '812' }],
];

test('a baseline that is no position is none', () => {
  expect(parseRoute('#/diagnostics?since=now')).toEqual({ page: 'diagnostics', since: '' });
});

test.each(routes)('%s there and back', (address, route) => {
  expect(parseRoute(address)).toEqual(route);
  expect(href(route)).toBe(address);
});

test.each(['#/queue/x', '#/campaigns/c-3', '#/jobs/x', '#/jobs/1/2', '#/nothing', '#/jobs/-1', '#/decisions/1e3', '#/policies/versions', '#/policies/versions/xyz', '#/policies/retry/1', '#/policies/retry/edit?from=x', '#/policies/retry/edit/1', '#/policies/diff?a=0123abcd'])('%s is missing', (address) => {
  expect(parseRoute(address).page).toBe('missing');
});

test('no address is the overview', () => {
  expect(parseRoute('')).toEqual({ page: 'overview' });
});
