import { expect, test } from 'vitest';
import { WHOLE_BACKLOG } from '../route';
import { campaignFactory, candidateOf, decisionFactory, jobFactory, sourceFactory } from '../testing/factories';
import type { NowRow, Problem } from '../wire';
import {
  cancelCampaignCall,
  campaignMark,
  campaignParts,
  campaignSources,
  contentType,
  doneWords,
  EMPTY_DRAFT,
  emptiness,
  fieldProblems,
  idleWhy,
  importOf,
  isNarrowed,
  lockCall,
  narrowed,
  othersBehind,
  parseDraft,
  refusedCsv,
  sourcesPath,
  sourceStory,
  tellingTerms,
  throughBytes,
  undoOf,
  verbCall,
  verbsFor,
  verbsForAll,
  whyNow,
  withLine,
} from './model';

const query = (path: string) => Object.fromEntries(new URL(path, 'http://host').searchParams);

test('the backlog is what is open, unless one asks for more', () => {
  expect(query(sourcesPath(WHOLE_BACKLOG))).toEqual({ limit: '25', status: 'open' });
  expect(query(sourcesPath({ ...WHOLE_BACKLOG, status: 'all' }))).toEqual({ limit: '25' });
  expect(query(sourcesPath({ ...WHOLE_BACKLOG, status: 'disabled', lane: 'queue', text: 'a & b', cursor: 'x1' }))).toEqual({ limit: '25', status: 'disabled', lane: 'queue', text: 'a & b', cursor: 'x1' });
  expect(query(sourcesPath(campaignSources(3, '')))).toEqual({ limit: '25', campaign: 'c-3' });
});

test('another filter begins at the first page', () => {
  expect(narrowed({ ...WHOLE_BACKLOG, host: 'novel', cursor: 'x1' }, { lane: 'queue' })).toEqual({ ...WHOLE_BACKLOG, host: 'novel', lane: 'queue' });
  expect(isNarrowed({ ...WHOLE_BACKLOG, cursor: 'x1' })).toBe(false);
  expect(isNarrowed({ ...WHOLE_BACKLOG, text: 'x' })).toBe(true);
});

test('an empty page says which kind of empty it is', () => {
  expect(emptiness(WHOLE_BACKLOG, false).kind).toBe('nothing-yet');
  expect(emptiness({ ...WHOLE_BACKLOG, status: 'all' }, false).kind).toBe('nothing-yet');
  expect(emptiness({ ...WHOLE_BACKLOG, host: 'novel' }, false)).toMatchObject({ kind: 'no-match', why: 'No source matches host “novel”.' });
  expect(emptiness({ ...WHOLE_BACKLOG, text: 'rare' }, true)).toMatchObject({ kind: 'no-match', what: 'No match so far' });
  expect(emptiness({ ...WHOLE_BACKLOG, cursor: 'x1' }, false).kind).toBe('no-match');
});

test('what runs or has ended cannot be changed here', () => {
  expect(verbsFor(sourceFactory.running(1))).toEqual([]);
  expect(verbsFor(sourceFactory.done(1))).toEqual([]);
  expect(verbsFor(sourceFactory.pending(1))).not.toContain('enable');
  expect(verbsFor(sourceFactory.disabled(1))).not.toContain('disable');
});

test('of several, each verb tells for which it is; a title is for one alone', () => {
  const rows = [sourceFactory.pending(1), sourceFactory.disabled(2), sourceFactory.running(3)];
  const found = Object.fromEntries(verbsForAll(rows).map(({ verb, rows }) => [verb, rows.map(({ id }) => id)]));
  expect(found).toEqual({ run: [1, 2], priority: [1, 2], move: [1, 2], disable: [1], enable: [2], cancel: [1, 2] });
  expect(verbsForAll([sourceFactory.pending(1)]).map(({ verb }) => verb)).toContain('title');
});

test('a verb becomes the host’s request, and the command line’s', () => {
  expect(verbCall('priority', 7, { reason: 'urgent', priority: 5 })).toEqual({ method: 'PATCH', path: '/api/v1/sources/7', body: { priority: 5, reason: 'urgent' }, cli: ['queue', 'edit', '7', '--priority', '5', '--reason', 'urgent'] });
  expect(verbCall('move', 7, { reason: 'later', lane: 'curriculum' })).toMatchObject({ method: 'POST', path: '/api/v1/sources/7/move', body: { lane: 'curriculum', reason: 'later' } });
  expect(verbCall('run', 7, { reason: 'now' })).toEqual({ method: 'POST', path: '/api/v1/sources/7/run', body: { reason: 'now' }, cli: ['queue', 'run', '7', '--reason', 'now'] });
  expect(cancelCampaignCall(3, true, 'over')).toEqual({ method: 'POST', path: '/api/v1/campaigns/3/cancel', body: { reason: 'over', end_runs: true }, cli: ['campaign', 'cancel', 'c-3', '--end-runs', '--reason', 'over'] });
  expect(lockCall('campaign', 'c-3', 'order').cli).toEqual(['queue', 'lock', 'c-3', '--campaign', '--reason', 'order']);
});

test('what can be undone is undone to what the row showed', () => {
  const row = sourceFactory.pending(7, { priority: 2, lane: 'queue', title: 'Letters' });
  expect(undoOf('priority', row)?.body).toMatchObject({ priority: 2 });
  expect(undoOf('title', row)?.body).toMatchObject({ title: 'Letters' });
  expect(undoOf('move', row)?.body).toMatchObject({ lane: 'queue' });
  expect(undoOf('disable', row)?.path).toBe('/api/v1/sources/7/enable');
  expect(undoOf('enable', sourceFactory.disabled(7))?.path).toBe('/api/v1/sources/7/disable');
  // It would come back without its wait.
  expect(undoOf('disable', sourceFactory.waiting(7))).toBeNull();
  expect(undoOf('cancel', row)).toBeNull();
  expect(undoOf('run', row)).toBeNull();
  expect([doneWords('disable', [row]), doneWords('cancel', [row, row])]).toEqual(['Source 7 disabled', '2 sources cancelled']);
});

test('what runs now names its decision and the first reason for it', () => {
  const now: NowRow = { run: 4, source: 1, title: 'x', host: null, lane: 'queue', origin: 'ui', campaign: null, class: 'training', attempt: 1, since: 0 };
  const reason = { code: 'best', text: 'scores best of 7', feature: null, value: null, threshold: null, margin: null };
  const jobs = [jobFactory.running(4, { decision: 9 })];
  expect(whyNow(now, jobs, [decisionFactory.answered(9, { reasons: [reason] })])).toEqual({ decision: 9, text: 'scores best of 7' });
  expect(whyNow(now, jobs, [])).toEqual({ decision: 9, text: '' });
  expect(whyNow(now, [], [])).toBeNull();
});

test('why nothing runs is told by the host, or by what holds the next pick back', () => {
  const holds = [{ code: 'training_stopped', sources: null, text: 'Training was stopped by web.', fix: null }];
  expect(idleWhy('Nothing is pending.', { holds })).toBe('Nothing is pending.');
  expect(idleWhy(null, { holds })).toBe('Training was stopped by web.');
  expect(idleWhy(null, { holds: [] })).toContain('in a moment');
  expect(idleWhy(null, null)).toContain('not known');
});

test('the others stand by how near they came; what is blocked comes last', () => {
  const others = [candidateOf(2, 5), candidateOf(3, 9, { blocked: ['host cap'] }), candidateOf(4, 8), candidateOf(5, null)];
  expect(othersBehind({ picks: [candidateOf(1, 10)], others }).map(({ source, behind }) => [source, behind])).toEqual([[4, 2], [2, 5], [5, null], [3, 1]]);
  expect(tellingTerms(candidateOf(1, 10, { terms: [{ name: 'a', value: 0 }, { name: 'b', value: 1 }, { name: 'c', value: -4 }] })).map(({ name }) => name)).toEqual(['c', 'b']);
});

test('each fault stands at its field, and what has none beside the form', () => {
  const problem: Problem = { type: '', title: '', status: 422, detail: '', code: 'x', fix: null, errors: [{ pointer: '/host', detail: 'bad' }, { pointer: '/host', detail: 'long' }, { pointer: '/params/steps', detail: 'many' }] };
  expect(fieldProblems(problem, ['title', 'host'])).toEqual({ host: 'bad; long', '': 'many' });
  expect(fieldProblems(null, ['title'])).toEqual({});
});

test('one run and a campaign are sent differently', () => {
  const draft = { ...EMPTY_DRAFT, title: ' Letters ', host: ' novel ', priority: '3', size: '12', reason: 'why' };
  expect(parseDraft(draft, false)).toEqual({ call: { method: 'POST', path: '/api/v1/sources', body: { title: 'Letters', host: 'novel', priority: 3, origin: 'ui' }, cli: ['queue', 'add', '--title', 'Letters', '--host', 'novel', '--priority', '3'] }, wrong: {} });
  expect(parseDraft(draft, true)).toEqual({ call: { method: 'POST', path: '/api/v1/campaigns', body: { title: 'Letters', host: 'novel', priority: 3, size: 12, reason: 'why' }, cli: ['campaign', 'start', '--title', 'Letters', '--host', 'novel', '--priority', '3', '--size', '12', '--reason', 'why'] }, wrong: {} });
  expect(parseDraft({ ...draft, priority: '1.5', size: '' }, true).wrong).toEqual({ priority: 'a whole number', size: 'a whole number' });
  // Bounds are the host's to know.
  expect(parseDraft({ ...draft, size: '99999999' }, true).wrong).toEqual({});
});

test('an import is what its lines told so far', () => {
  const counts = { lines: 10, bytes: 400, queued: 8, known: 0, refused: 2 };
  let seen = importOf(1_000);
  seen = { ...seen, sent: 300 };
  seen = withLine(seen, { started: { nonce: 'n' } });
  seen = withLine(seen, { progress: counts });
  expect([seen.state, throughBytes(seen)]).toEqual(['sending', 400]);
  seen = withLine(seen, { refused: { line: 3, field: 'title', problem: 'is "empty"', fix: 'say, what' } });
  seen = withLine(seen, { report: { nonce: 'n', ...counts, blank: 0 } });
  expect([seen.state, throughBytes(seen), seen.refused.length]).toEqual(['done', 1_000, 1]);
  expect(refusedCsv(seen.refused)).toBe('line,field,problem,fix\n3,"title","is ""empty""","say, what"\n');
  expect(['a.JSONL', 'b.ndjson', 'c.csv', 'd.txt'].map(contentType)).toEqual(['application/x-ndjson', 'application/x-ndjson', 'text/csv', null]);
});

test('a campaign’s bar is made of all of its sources', () => {
  const campaign = campaignFactory.running(3, { total: 20, done: 5, failed: 1, cancelled: 0, running: 2, queued: 12 });
  expect(campaignParts(campaign).map(({ slug, share }) => [slug, share])).toEqual([['done', 0.25], ['failed', 0.05], ['cancelled', 0], ['running', 0.1], ['queued', 0.6]]);
  expect(campaignMark({ ...campaign, state: 'ended' }).tone).toBe('bad');
  expect(campaignMark({ ...campaign, state: 'ended', failed: 0 }).tone).toBe('good');
});

test('a source’s history is newest first, also within one moment', () => {
  const done = sourceFactory.done(1, { queued_at: 100, finished_at: 900 });
  const jobs = [jobFactory.completed(5, { created_at: 500, finished_at: 900 }), jobFactory.failed(4, { created_at: 100, finished_at: 400 })];
  expect(sourceStory(done, jobs).map(({ text }) => text)).toEqual(['done', 'run 5 completed', 'run 5 planned, attempt 1', 'run 4 failed: infra', 'run 4 planned, attempt 1', 'queued from ui']);
});
